package tools

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxIndicators bounds one call. A tenant has room for 15,000.
const maxIndicators = 5000

// indicatorRow is one indicator as a caller wrote it. Empty fields are those of the call's arguments.
type indicatorRow struct {
	// at is where it stands, for errors: "line 3" or "value 2".
	at                                                                             string
	Value, Type, Action, Title, Description, Expires, Severity, Recommended, Alert string
	Application, Groups                                                            string
}

// column is the field of a header's name, which is read without case, hyphens, underscores and spaces; nil for an unknown one.
func (r *indicatorRow) column(name string) *string {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	switch plain {
	case "indicatorvalue", "value", "indicator":
		return &r.Value
	case "indicatortype", "type":
		return &r.Type
	case "action":
		return &r.Action
	case "title":
		return &r.Title
	case "description":
		return &r.Description
	case "expirationtime", "expiration", "expires":
		return &r.Expires
	case "severity":
		return &r.Severity
	case "recommendedactions":
		return &r.Recommended
	case "generatealert":
		return &r.Alert
	case "application":
		return &r.Application
	case "rbacgroups", "rbacgroupnames", "devicegroups":
		return &r.Groups
	}
	return nil
}

// readIndicatorCSV reads a table of indicators. It is strict, because what is read gets blocked: every row has as many fields
// as the header, every column is known and there once, and a quotation mark stands only where CSV has one.
func readIndicatorCSV(text string) ([]indicatorRow, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimSpace(text)))
	header, err := r.Read()
	if err != nil {
		return nil, csvFault(err)
	}
	if err := checkColumns(header); err != nil {
		return nil, err
	}
	var rows []indicatorRow
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvFault(err)
		}
		line, _ := r.FieldPos(0)
		row := indicatorRow{at: fmt.Sprintf("line %d", line)}
		for i, name := range header {
			*row.column(name) = oneLine(fields[i])
		}
		rows = append(rows, row)
		if len(rows) > maxIndicators {
			return nil, fmt.Errorf("csv has more than %d rows; split it", maxIndicators)
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("csv has a header and no rows")
	}
	return rows, nil
}

func checkColumns(header []string) error {
	var row indicatorRow
	var seen []*string
	for _, name := range header {
		field := row.column(name)
		switch {
		case field == nil:
			return fmt.Errorf("csv: column %s is not taken; there are indicator_value, type, action, title, description, expiration, severity, "+
				"recommended_actions, generate_alert, application and rbac_groups. The first line must name the columns", quoted(name, 40))
		case slices.Contains(seen, field):
			return fmt.Errorf("csv: column %s is there twice", quoted(name, 40))
		}
		seen = append(seen, field)
	}
	if !slices.Contains(seen, &row.Value) {
		return errors.New("csv: the first line names no column indicator_value")
	}
	return nil
}

// csvFault says at which line the table can't be read.
func csvFault(err error) error {
	var fault *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("csv is empty")
	case errors.As(err, &fault) && errors.Is(fault.Err, csv.ErrFieldCount):
		return fmt.Errorf("csv: line %d has another number of fields than the header", fault.Line)
	case errors.As(err, &fault):
		return fmt.Errorf("csv: line %d, column %d can't be read: %w", fault.Line, fault.Column, fault.Err)
	}
	return fmt.Errorf("csv can't be read: %w", err)
}
