// LinkTransport
