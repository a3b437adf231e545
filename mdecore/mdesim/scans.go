package mdesim

// scanState is the authenticated scans.
type scanState struct{}

func scanRoutes() []route { return nil }
