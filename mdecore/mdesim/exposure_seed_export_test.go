package mdesim

// Survey counts the fleet, for a benchmark.
func (t *Tenant) Survey() int { return t.survey().managed }
