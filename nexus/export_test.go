package nexus

// CheckResult reports why the result at an address would not be fetched.
func CheckResult(cloud Cloud, address, container string) error {
	_, err := cloud.resultAt(address, container)
	return err
}

// Clean is clean.
func Clean(text string, most int) string { return clean(text, most) }

// ParseForbidden, ParseOperation and OperationAt show the parsers of outside text to their fuzz targets.
func ParseForbidden(message string) (action, scope string) { return parseForbidden(message) }

// ParseOperation is parseOperation.
func ParseOperation(text string) (operation, subscription string, err error) {
	return parseOperation(text)
}

// OperationAt is operationAt.
func (c *Client) OperationAt(address string, on ID) (string, error) {
	return c.operationAt(address, on)
}

// LongestOperation is the longest address of an operation that is taken.
const LongestOperation = maxOperation
