package tools

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/kql"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestValuesAreUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	sha1, sha256 := strings.Repeat("aB", 20), strings.Repeat("aB", 32)
	for _, c := range []struct{ text, kind, wantKind, want string }{
		{sha1, "", "file", strings.ToLower(sha1)},
		{" " + sha256 + " ", "", "file", strings.ToLower(sha256)},
		{"192.0.2.7", "", "ip", "192.0.2.7"},
		{"192.0.2[.]7", "", "ip", "192.0.2.7"},
		{"192.0.2.7:443", "", "ip", "192.0.2.7"},
		{"::ffff:192.0.2.7", "", "ip", "192.0.2.7"},
		{"[2001:DB8::1]", "", "ip", "2001:db8::1"},
		{"https://192.0.2.7/x", "", "ip", "192.0.2.7"},
		{"evil.com", "", "domain", "evil.com"},
		{"Evil.Example.", "", "domain", "evil.example"},
		{"a.b.invalid", "", "domain", "a.b.invalid"},
		{"hxxps://user:pw@evil[.]com:8443/p?q#f", "", "domain", "evil.com"},
		{"evil.com/path", "", "domain", "evil.com"},
		{"xn--bcher-kva.example", "", "domain", "xn--bcher-kva.example"},
		{"jane.doe", "user", "user", "jane.doe"},
		{"jane.doe", "domain", "domain", "jane.doe"},
		{`CONTOSO\jane.doe`, "", "user", "jane.doe"},
		{"jane.doe@contoso.com", "", "user", "jane.doe"},
		{"jdoe", "", "user", "jdoe"},
		{"12345", "user", "user", "12345"},
	} {
		got, err := entityOf(c.text, c.kind)
		require.NoError(t, err, c.text)
		require.Equal(t, c.wantKind, got.kind, c.text)
		require.Equal(t, c.want, got.value, c.text)
	}
	for _, c := range []struct{ text, kind, why string }{
		{strings.Repeat("a", 32), "", "MD5"},
		{strings.Repeat("a", 39), "", "39 hexadecimal digits"},
		{"jane.doe", "", "domain or an account"},
		{"10.0.0.0/8", "", "network"},
		{"2001:db8::/32", "ip", "network"},
		{"300.1.1.1", "", "not an IP"},
		{"fe80::1%eth0", "ip", "not an IPv4"},
		{"evil", "domain", "not a domain"},
		{"évil.com", "", "xn--"},
		{"a b.com", "", "not a domain"},
		{"https:///x", "", "not a URL"},
		{"evil.com", "file", "not a hash"},
		{`a\b\c`, "", "not an account"},
		{"a|b", "", "not an account"},
	} {
		_, err := entityOf(c.text, c.kind)
		require.ErrorContains(t, err, c.why, c.text)
	}
}

func FuzzEntityOf(f *testing.F) {
	for _, seed := range []string{"evil[.]com", "hxxp://x", `a\b`, "a@b", "::1", "1.2.3.4", "//", "http://[::1]:1/", "..", "%zz", strings.Repeat("a", 40)} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, text, kind string) {
		e, err := entityOf(text, kind)
		if err != nil {
			for _, r := range err.Error() {
				require.False(t, hidden(r), "%q", err.Error())
			}
			return
		}
		check := map[string]kql.Type{"file": kql.Hash, "ip": kql.IP, "domain": kql.Domain, "user": kql.Account}[e.kind]
		_, err = kql.Literal(check, e.value)
		require.NoError(t, err, "%q became %+v", text, e)
		if e.kind == "ip" {
			require.Equal(t, netip.MustParseAddr(e.value), e.ip)
		}
	})
}

func lookedUp(t *testing.T, w *world, args string) lookUpOut {
	t.Helper()
	return w.ok("look_up", args).Output.(lookUpOut)
}

func TestAPartThatFailsIsNamedAndTheRestIsGiven(t *testing.T) {
	t.Parallel()
	const file = `{"value":"8563f95b2f8a284fc99da44500cd51a77c1ff36c"}`
	w := open(t, toolstest.Options{})
	whole := lookedUp(t, w, file)
	require.Empty(t, whole.Failed)
	require.NotNil(t, whole.File)
	require.NotNil(t, whole.Prevalence)
	require.NotEmpty(t, whole.Alerts)
	require.NotEmpty(t, whole.Devices)
	for part, path := range map[string]string{"profile": "", "prevalence": "/stats", "alerts": "/alerts", "devices": "/machines"} {
		w.Tenant.Fail(mdesim.Fault{Path: "/api/files/*" + path, Status: 403})
		out := lookedUp(t, w, file)
		require.Len(t, out.Failed, 1, part)
		require.Contains(t, out.Failed[0], part+": ")
		require.True(t, out.Known)
	}
	for _, path := range []string{"", "/stats", "/alerts", "/machines"} {
		w.Tenant.Fail(mdesim.Fault{Path: "/api/files/*" + path, Status: 403})
	}
	_, err := w.call("look_up", file)
	require.ErrorContains(t, err, "403")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.d.Call(ctx, Call{Tool: "look_up", Args: json.RawMessage(file), Requester: toolstest.Alice()})
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
}

// "Not known" is said only when Defender could be asked.
func TestNothingKnownIsNotTheSameAsNothingRead(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	const unknown = `{"value":"nobody.example"}`
	out := lookedUp(t, w, unknown)
	require.False(t, out.Known)
	require.Contains(t, out.text(30), "is not known to Defender")
	w.Tenant.Fail(mdesim.Fault{Path: "/api/domains/*/alerts", Status: 403})
	out = lookedUp(t, w, unknown)
	require.Contains(t, out.text(30), "is not known from what could be read")
}

func TestAnAccountHasItsProfile(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	var account string
	for a, err := range w.Reader.ListAlerts(t.Context(), mdecore.AlertsQuery{}) {
		require.NoError(t, err)
		if a.RelatedUser != nil && a.RelatedUser.UserName != "" {
			account = a.RelatedUser.UserName
			break
		}
	}
	require.NotEmpty(t, account)
	out := lookedUp(t, w, `{"value":"`+account+`","kind":"user"}`)
	require.True(t, out.Known)
	require.NotNil(t, out.User)
	require.Contains(t, strings.ToLower(out.User.Name), strings.ToLower(account))
	require.NotEmpty(t, out.AlertsOf)
	out = lookedUp(t, w, `{"value":"ELSEWHERE\\`+account+`"}`)
	require.Nil(t, out.User, "the profile of an account of another domain")
	require.Contains(t, strings.Join(out.Notes, " "), "by name alone")
}

// What is shown of a long list is said with how many there are.
func TestListsOfALookUpAreBounded(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	out := lookedUp(t, w, `{"value":"ff836cfb1af40252bd2a2ea843032e99a5b262ed"}`)
	require.Len(t, out.Devices, entityShown)
	require.Regexp(t, `^10 of (\d+|the first 500, and there are more)$`, out.DevicesOf)
	for i := 1; i < len(out.Devices); i++ {
		require.False(t, out.Devices[i].LastSeen.After(out.Devices[i-1].LastSeen), "last seen first")
	}
	require.Equal(t, "10 of the first 500, and there are more", shownOf(entityRead, true))
	require.Equal(t, "3", shownOf(3, false))
}
