package mdesim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzFilter checks that no text panics the parser, and that what it accepts means
// the same in parentheses and the opposite under not.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"", "startswith(computerDnsName,'o''b')", "(riskScore eq 'High' or rbacGroupId gt 7) and not version eq null",
		"lastSeen gt 2018-08-01Z", "machineTags/any(t:t eq 'x')", "machineTags/any(t:startswith(t,'x'))", "a eq 'b",
		"((((((", "not not not", "id eq ''", "''''", "eq eq eq", "rbacGroupId eq 99999999999999999999", "\x00\xff'",
		"computerDnsName/any(:", "machineTags/any(:)", "startswith(,)", "aadDeviceId ne null and aadDeviceId eq null",
	} {
		f.Add(seed)
	}
	tenant := &Tenant{Devices: 5}
	tenant.ready()
	s, devices := machineSchema(), tenant.snapshot()
	f.Fuzz(func(t *testing.T, text string) {
		keep, err := s.predicate(text)
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		wrapped, err := s.predicate("(" + text + ")")
		if err != nil {
			require.Regexp(t, "nested deeper|longer than", err.Error())
			return
		}
		inverse, err := s.predicate("not(" + text + ")")
		if err != nil {
			require.Regexp(t, "nested deeper|longer than", err.Error())
			return
		}
		for _, d := range devices {
			require.Equal(t, keep(d), wrapped(d), text)
			require.NotEqual(t, keep(d), inverse(d), text)
		}
	})
}
