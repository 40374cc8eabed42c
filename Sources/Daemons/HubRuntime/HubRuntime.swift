// HubRuntime
