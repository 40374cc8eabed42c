// PuckRuntime
