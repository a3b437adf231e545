package mdecore_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestEntityAddresses(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[],"sha1":"`+fileSHA1+`","host":"xn--bcher-kva.example","ipAddress":"2001:db8::1"}`))
	c, ctx := s.clientOf(t), t.Context()
	for _, name := range []string{"user 1", "o'brien", "jörg", "svc$", "a#b", "ad-min_1.x"} {
		require.NoError(t, drain(c.ListUserAlerts(ctx, name)), name)
	}
	require.NoError(t, drain(c.ListIPAlerts(ctx, netip.MustParseAddr("::ffff:10.0.0.1"))))
	require.NoError(t, drain(c.ListDomainAlerts(ctx, "_dmarc.xn--bcher-kva.example")))
	_, err := c.GetDomainStats(ctx, "xn--bcher-kva.example", mdecore.StatsQuery{LookBackHours: 1})
	require.NoError(t, err)
	_, err = c.GetIPStats(ctx, netip.MustParseAddr("2001:db8:0:0::1"), mdecore.StatsQuery{})
	require.NoError(t, err)
	_, err = c.GetFileStats(ctx, fileSHA256, mdecore.StatsQuery{LookBackHours: 720})
	require.NoError(t, err, "the answer names the SHA-1 only")
	var got []string
	for _, call := range s.received() {
		got = append(got, call.path+"?"+call.query)
	}
	require.Equal(t, []string{
		"/api/users/user%201/alerts?", "/api/users/o%27brien/alerts?", "/api/users/j%C3%B6rg/alerts?", "/api/users/svc$/alerts?", "/api/users/a%23b/alerts?",
		"/api/users/ad-min_1.x/alerts?", "/api/ips/10.0.0.1/alerts?", "/api/domains/_dmarc.xn--bcher-kva.example/alerts?",
		"/api/domains/xn--bcher-kva.example/stats?lookBackHours=1", "/api/ips/2001:db8::1/stats?", "/api/files/" + fileSHA256 + "/stats?lookBackHours=720",
	}, got)
}

func TestRefusalsOfEntitiesSayWhatToDo(t *testing.T) {
	t.Parallel()
	c := newService(t, answer(200, "{}")).clientOf(t)
	for want, err := range map[string]error{
		"leave out @":          drain(c.ListUserAlerts(t.Context(), "user1@contoso.com")),
		"leave out the domain": drain(c.ListUserMachines(t.Context(), `contoso\user1`)),
		"xn-- form":            drain(c.ListDomainAlerts(t.Context(), "bücher.example")),
		"not the URL":          drain(c.ListDomainMachines(t.Context(), "https://example.com/x")),
		"is an IP address":     drain(c.ListDomainMachines(t.Context(), "2001:db8::1")),
		"GetFile finds":        drain(c.ListFileMachines(t.Context(), fileSHA256)),
		"without a zone":       drain(c.ListIPAlerts(t.Context(), netip.MustParseAddr("fe80::1%eth0"))),
	} {
		require.ErrorContains(t, err, want)
	}
}
