package mdesim

// indicatorState is the tenant's indicators.
type indicatorState struct{}

func indicatorRoutes() []route { return nil }
