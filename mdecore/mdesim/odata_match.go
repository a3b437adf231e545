package mdesim

import "time"

// MatchFilter reports whether a $filter, as the tenant's lists read it, selects a row of property values: string, int64,
// float64, time.Time, []string, or nil for null. It is for tests of what writes such filters. A property that the row does not
// hold is refused, as the lists do.
func MatchFilter(filter string, row map[string]any) (bool, error) {
	n, err := parseFilter(filter, func(name string) (propertyType, bool) {
		value, ok := row[name]
		return propertyType{kind: kindOf(value)}, ok
	})
	if err != nil {
		return false, err
	}
	return n.match(func(name string) any { return row[name] }), nil
}

// kindOf is the kind of property that holds a value.
func kindOf(value any) kind {
	switch value.(type) {
	case int64:
		return kindInt
	case float64:
		return kindFloat
	case time.Time:
		return kindTime
	case []string:
		return kindStrings
	}
	return kindString
}
