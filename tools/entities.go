package tools

// entityTools lists the toolset entities.
func entityTools() []declaration { return nil }
