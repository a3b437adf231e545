package tools

// huntingTools lists the toolset hunting.
func huntingTools() []declaration { return nil }
