package tools

// indicatorTools lists the toolset indicators.
func indicatorTools() []declaration { return nil }
