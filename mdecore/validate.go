package mdecore

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxIDLength is well above any id of the API (alert ids are the longest, below 100).
const maxIDLength = 200

// checkID refuses an id that could reach another address than the one meant, or break out of an OData literal. The API's
// ids are hexadecimal, GUIDs, or like da637472900382838869_1364969609, so letters, digits and -_.~: are enough.
func checkID(field, id string) error {
	switch {
	case id == "":
		return invalid(field, id, "it is empty")
	case len(id) > maxIDLength:
		return invalid(field, id, "it is longer than 200 characters")
	case strings.Contains(id, ".."):
		return invalid(field, id, "it must not contain \"..\"")
	}
	for _, r := range id {
		if r > unicode.MaxASCII || !idRune(r) {
			return invalid(field, id, "it may contain only letters, digits and - _ . ~ :")
		}
	}
	if strings.Trim(id, ".") == "" {
		return invalid(field, id, "it consists of dots")
	}
	return nil
}

// machineIDPattern is the form of every machine id in the documentation.
var machineIDPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{40}$`) })

// checkMachineID refuses everything but a machine id. The service takes a computer name in the same place, and a name
// can mean several machines.
func checkMachineID(id string) error {
	if err := checkID("machine id", id); err != nil {
		return err
	}
	if !machineIDPattern().MatchString(id) {
		return invalid("machine id", id, "it must be 40 hexadecimal digits; look the machine up by its name first")
	}
	return nil
}

// idRune reports whether an ASCII rune may stand in an id.
func idRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return strings.ContainsRune("-_.~:", r)
}

// guidPattern is the form of Entra device ids.
var guidPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
})

// maxComment is our own limit: the page states none, and a plan's reason is far shorter.
const maxComment = 4000

// checkComment refuses what the service would refuse or store in a broken form.
func checkComment(comment string, required bool) error {
	switch {
	case required && strings.TrimSpace(comment) == "":
		return invalid("comment", comment, "the service wants a comment that says why")
	case !utf8.ValidString(comment):
		return invalid("comment", comment, "it is not valid UTF-8")
	case utf8.RuneCountInString(comment) > maxComment:
		return invalid("comment", comment, "it is longer than 4000 characters")
	}
	return nil
}

// checkIDs refuses an empty list, and a list with an id that is none.
func checkIDs(field string, ids []string) error {
	if len(ids) == 0 {
		return invalid(field+"s", "", "there are none")
	}
	for _, id := range ids {
		if err := checkID(field, id); err != nil {
			return err
		}
	}
	return nil
}

// checkText refuses a text that is missing, broken or longer than a comment may be.
func checkText(field, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return invalid(field, text, "it is empty")
	case !utf8.ValidString(text):
		return invalid(field, text, "it is not valid UTF-8")
	case utf8.RuneCountInString(text) > maxComment:
		return invalid(field, text, "it is longer than 4000 characters")
	}
	return nil
}

// checkLine is checkText for a text of one line.
func checkLine(field, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid(field, text, "it must be one line without control characters")
	}
	return checkText(field, text)
}

// checkPlain refuses text that is not one printable line: it would be read differently by a person and by the machine.
func checkPlain(field, text string) error {
	if !utf8.ValidString(text) {
		return invalid(field, strings.ToValidUTF8(text, "?"), "it is not valid UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return invalid(field, text, fmt.Sprintf("it holds the invisible character %U", r))
		}
	}
	return nil
}

// checkDigits refuses what is not count hexadecimal digits.
func checkDigits(field, value string, count int) error {
	if len(value) != count || !hexadecimal(value) {
		return invalid(field, value, "it must be "+strconv.Itoa(count)+" hexadecimal digits")
	}
	return nil
}

// hexadecimal reports whether a text has hexadecimal digits only.
func hexadecimal(text string) bool {
	return strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// checkEnum refuses a value that is none of those that the service takes.
func checkEnum[T ~string](field string, value T, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	return invalid(field, string(value), "it must be one of "+listed(known))
}

// checkOptionalEnum is checkEnum for a value that can be left out.
func checkOptionalEnum[T ~string](field string, value T, known ...T) error {
	if value == "" {
		return nil
	}
	return checkEnum(field, value, known...)
}

// listed joins values for a text.
func listed[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// invalid makes an InvalidError with the value shortened, so that a huge argument does not fill a log.
func invalid(field, value, reason string) error {
	if utf8.RuneCountInString(value) > 80 {
		value = string([]rune(value)[:80]) + "..."
	}
	return &InvalidError{Field: field, Value: value, Reason: reason}
}

// odataString writes an OData string literal: in single quotes, with inner ones doubled.
func odataString(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
