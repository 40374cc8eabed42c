// PuckWire
