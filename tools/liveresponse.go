package tools

// liveResponseTools lists the toolset live_response.
func liveResponseTools() []declaration { return nil }
