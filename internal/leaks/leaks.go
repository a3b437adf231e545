// Package leaks finds credentials, tokens and signatures in a text. Tests hold logs, errors and the output of a whole test
// run against it. It is written apart from the redaction that it judges, and looks for the form of a secret as well as for
// the known ones of the simulators.
package leaks

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// Finding is a secret in a text.
type Finding struct {
	// Line is the number of the line, from 1.
	Line int
	// Kind says what was found.
	Kind string
	// Text is what was found, shortened so that a report does not spread it.
	Text string
}

// String is for a report.
func (f Finding) String() string { return fmt.Sprintf("line %d: %s: %s", f.Line, f.Kind, f.Text) }

// form is how a kind of secret looks. The first group is the secret's own text, where only a part of the match is it.
type form struct {
	kind string
	find *regexp.Regexp
}

var forms = sync.OnceValue(func() []form {
	return []form{
		{"JSON Web Token", regexp.MustCompile(`eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*`)},
		{"SAS signature", regexp.MustCompile(`(?i)(?:\b|%[0-9a-f]{2})sig(?:=|%3d)([^\s&"'<>]+)`)},
		{"bearer token", regexp.MustCompile(`(?i)\bbearer\s+([\w.~+/-]{20,}=*)`)},
		{"client secret in a form", regexp.MustCompile(`(?i)\b(?:client_secret|client_assertion|refresh_token|access_token)(?:=|"\s*:\s*")([^\s&"]+)`)},
		{"Slack token", regexp.MustCompile(`\bx(?:ox[abeprs]|app)-[\w-]{10,}`)},
		{"vote signing key", regexp.MustCompile(`mde-vote-private-[\w+/=-]{20,}`)},
		{"private key", regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----`)},
		{"password in an address", regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^\s/:@"]+:([^\s/@"]+)@`)},
	}
})

// placeholders are what stands where a secret was taken out.
var placeholder = regexp.MustCompile(`^\W*(?i:redacted|%s|xxxxx|\*+|\.\.\.)`)

// Find returns the secrets in a text: everything that has the form of one, and every known one.
func Find(r io.Reader, known ...string) ([]Finding, error) {
	lines := bufio.NewReader(r)
	var found []Finding
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		found = append(found, inLine(n, line, known)...)
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("the text can't be read: %w", err)
		}
	}
}

func inLine(n int, line string, known []string) (found []Finding) {
	for _, f := range forms() {
		for _, m := range f.find.FindAllStringSubmatch(line, -1) {
			if secret := m[len(m)-1]; !placeholder.MatchString(secret) {
				found = append(found, Finding{n, f.kind, shorten(m[0])})
			}
		}
	}
	for _, secret := range known {
		if strings.Contains(line, secret) {
			found = append(found, Finding{n, "known secret", shorten(secret)})
		}
	}
	return found
}

// shorten keeps enough of a secret to find it by.
func shorten(s string) string {
	if len(s) > 24 {
		return s[:24] + "..."
	}
	return s
}
