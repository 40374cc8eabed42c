// ALSADevice
