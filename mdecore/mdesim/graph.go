package mdesim

// graphState is what only Graph knows, such as incidents.
type graphState struct{}

func graphRoutes() []route { return nil }
