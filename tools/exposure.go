package tools

// exposureTools lists the toolset exposure.
func exposureTools() []declaration { return nil }
