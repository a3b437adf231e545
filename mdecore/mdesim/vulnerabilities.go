package mdesim

// exposureState is software, vulnerabilities, recommendations and remediation.
type exposureState struct{}

func vulnerabilityRoutes() []route { return nil }
