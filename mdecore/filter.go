package mdecore

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Filter is an OData $filter expression; the empty one selects everything. Build it with Eq, StartsWith, And and their
// like, which quote values and refuse what cannot be a name or a value, or write it whole:
//
//	mdecore.And(mdecore.Eq("riskScore", "High"), mdecore.Gt("lastSeen", monday))
//	mdecore.Raw("machineTags/any(t:t eq 'server')")
//
// A builder that was given something invalid returns a Filter that Check refuses; so does everything that is built from
// it. Calls check their filter before they send anything. Which properties a list can be filtered by stands in its
// documentation page; the examples there use eq, ne, gt, ge, and, and startswith.
type Filter string

// Value is what a property can be compared with. Strings are quoted; GUID, numbers, truth values and times are not.
type Value interface {
	~string | ~bool | ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~float32 | ~float64 | time.Time
}

// GUID is a value of a property whose type is Edm.Guid, such as a machine's aadDeviceId: it is written without quotes.
type GUID string

// Raw is an expression as the service reads it, for what the builders do not offer. Blank text is no filter.
func Raw(expression string) Filter { return Filter(strings.TrimSpace(expression)) }

// Eq selects items whose property equals value.
func Eq[V Value](property string, value V) Filter { return compare(property, "eq", value) }

// Ne selects items whose property does not equal value.
func Ne[V Value](property string, value V) Filter { return compare(property, "ne", value) }

// Gt selects items whose property is greater than value, or later.
func Gt[V Value](property string, value V) Filter { return compare(property, "gt", value) }

// Ge selects items whose property is value or greater, or later.
func Ge[V Value](property string, value V) Filter { return compare(property, "ge", value) }

// Lt selects items whose property is less than value, or earlier.
func Lt[V Value](property string, value V) Filter { return compare(property, "lt", value) }

// Le selects items whose property is value or less, or earlier.
func Le[V Value](property string, value V) Filter { return compare(property, "le", value) }

// StartsWith selects items whose property begins with prefix. An empty prefix is refused: it would select everything.
func StartsWith(property, prefix string) Filter {
	if err := checkProperty(property); err != nil {
		return refused(err)
	}
	if prefix == "" {
		return refused(&filterFault{property, "its prefix is empty, which would select everything"})
	}
	literal, err := literalOf(prefix)
	if err != nil {
		return refused(err)
	}
	return Filter("startswith(" + property + "," + literal + ")")
}

// In selects items whose property equals one of the values. It is refused without any, because a filter that was left
// out would select everything instead of nothing.
func In[V Value](property string, values ...V) Filter {
	if len(values) == 0 {
		return refused(&filterFault{property, "it is compared with an empty list, which selects nothing: leave the call out"})
	}
	parts := make([]Filter, 0, len(values))
	for _, value := range values {
		parts = append(parts, Eq(property, value))
	}
	return Or(parts...)
}

// And selects items that every one of the filters selects. Empty filters are left out.
func And(filters ...Filter) Filter { return combine("and", "or", filters) }

// Or selects items that at least one of the filters selects. An empty filter among them is refused, and so is none at
// all, because the one would select everything and the other nothing.
func Or(filters ...Filter) Filter {
	if len(filters) == 0 {
		return refused(&filterFault{"or", "it has no alternatives, which selects nothing: leave the call out"})
	}
	for _, f := range filters {
		if strings.TrimSpace(string(f)) == "" {
			return refused(&filterFault{"or", "one of its alternatives is empty, which selects everything"})
		}
	}
	return combine("or", "and", filters)
}

// Not selects items that f does not select. An empty f is refused.
func Not(f Filter) Filter {
	if strings.TrimSpace(string(f)) == "" {
		return refused(&filterFault{"not", "the opposite of an empty filter selects nothing: leave the call out"})
	}
	if f.Check() != nil {
		return f
	}
	return "not (" + f + ")"
}

// Check refuses an expression that was built from invalid parts, or that no service could read: invalid UTF-8, control
// characters, and quotes or parentheses without their counterparts. Its error is an *InvalidError.
func (f Filter) Check() error {
	if rest, marked := strings.CutPrefix(string(f), faultMark); marked {
		value, reason, _ := strings.Cut(rest, faultMark)
		return invalid("filter", value, reason)
	}
	if err := checkLiteral(string(f)); err != nil {
		return invalid("filter", string(f), err.Error())
	}
	if _, err := f.topWords(); err != nil {
		return invalid("filter", string(f), err.Error())
	}
	return nil
}

// faultMark begins a filter that could not be built. It is a control character, so no valid filter holds it.
const faultMark = "\x00"

// filterFault says what is wrong with a part of a filter.
type filterFault struct{ value, reason string }

// Error implements error.
func (e *filterFault) Error() string { return e.reason }

// refused is the filter that Check refuses with err.
func refused(err error) Filter {
	var fault *filterFault
	if !errors.As(err, &fault) {
		fault = &filterFault{reason: err.Error()}
	}
	return Filter(faultMark + strings.ReplaceAll(fault.value, faultMark, "\uFFFD") + faultMark + fault.reason)
}

// compare writes "property op value".
func compare[V Value](property, op string, value V) Filter {
	if err := checkProperty(property); err != nil {
		return refused(err)
	}
	literal, err := literalOf(value)
	if err != nil {
		return refused(err)
	}
	return Filter(property + " " + op + " " + literal)
}

// combine joins filters by a word, and puts those in parentheses that hold the other one. The first that is invalid is
// returned instead.
func combine(word, other string, filters []Filter) Filter {
	var parts []string
	for _, f := range filters {
		if f = Raw(string(f)); f == "" {
			continue
		}
		if f.Check() != nil {
			return f
		}
		parts = append(parts, string(f))
	}
	if len(parts) == 1 {
		return Filter(parts[0])
	}
	for i, part := range parts {
		if words, _ := Filter(part).topWords(); words[other] {
			parts[i] = "(" + part + ")"
		}
	}
	return Filter(strings.Join(parts, " "+word+" "))
}

// topWords returns the words that stand outside of quotes and parentheses, in lower case.
func (f Filter) topWords() (map[string]bool, error) {
	words, depth, text := map[string]bool{}, 0, string(f)
	for text != "" {
		n := strings.IndexAny(text, " \t(),'")
		if n < 0 {
			n = len(text)
		}
		if n > 0 {
			if depth == 0 {
				words[strings.ToLower(text[:n])] = true
			}
			text = text[n:]
			continue
		}
		n = 1
		switch text[0] {
		case '(':
			depth++
		case ')':
			depth--
		case '\'':
			// A quote inside is written twice: to this scan it is the end of one string and the beginning of the next.
			end := strings.IndexByte(text[1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote is not closed; inside of a string a quote is written twice")
			}
			n = end + 2
		}
		if depth < 0 {
			return nil, errors.New("a closing parenthesis has no opening one")
		}
		text = text[n:]
	}
	if depth > 0 {
		return nil, errors.New("a parenthesis is not closed")
	}
	return words, nil
}

// checkProperty refuses what cannot be a property's name or a path of names.
func checkProperty(property string) error {
	for _, part := range strings.Split(property, "/") {
		for i, r := range part {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			if !letter && (i == 0 || (r < '0' || r > '9') && r != '_') {
				part = ""
				break
			}
		}
		switch strings.ToLower(part) {
		case "", "and", "or", "not", "null", "true", "false":
			return &filterFault{property, "it is not the name of a property"}
		}
	}
	return nil
}

// checkLiteral refuses invalid UTF-8 and control characters.
func checkLiteral(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not valid UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("it holds a control character, such as a line break")
	}
	return nil
}

// literalOf writes a value as an OData literal.
func literalOf[V Value](value V) (string, error) {
	switch v := any(value).(type) {
	case time.Time:
		return timeLiteral(v)
	case GUID:
		if !guidPattern().MatchString(string(v)) {
			return "", &filterFault{string(v), "it is not a GUID like 11111111-2222-3333-4444-555555555555"}
		}
		return string(v), nil
	}
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case v.CanFloat():
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return "", &filterFault{strconv.FormatFloat(v.Float(), 'g', -1, 64), "it is not a finite number"}
		}
		return strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits()), nil
	}
	if err := checkLiteral(v.String()); err != nil {
		return "", &filterFault{v.String(), err.Error()}
	}
	return odataString(v.String()), nil
}

// timeLiteral writes a time in UTC with the seven digits that the service keeps of a second.
func timeLiteral(at time.Time) (string, error) {
	at = at.UTC()
	if at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
		return "", &filterFault{at.String(), "it is not a time that the service knows; the zero time is probably one that was never set"}
	}
	return at.Format("2006-01-02T15:04:05.9999999Z"), nil
}
