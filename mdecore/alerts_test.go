package mdecore_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// newest is the newest alert of a simulated tenant, with its evidence.
func newest(t *testing.T, c *mdecore.Client) *mdecore.Alert {
	t.Helper()
	for a, err := range c.ListAlerts(t.Context(), mdecore.AlertsQuery{ExpandEvidence: true, Page: mdecore.Page{Top: 1}}) {
		require.NoError(t, err)
		return a
	}
	require.Fail(t, "there is no alert")
	return nil
}

func TestAlertsInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c, ctx := simulated(t, tenant, nil), t.Context()
	alert := newest(t, c)
	updated, err := c.UpdateAlert(ctx, alert.ID, mdecore.UpdateAlertRequest{
		Status: mdecore.AlertStatusResolved, Classification: mdecore.ClassificationFalsePositive,
		Determination: mdecore.DeterminationNotMalicious, Comment: "a test",
	})
	require.NoError(t, err)
	require.Equal(t, mdecore.AlertStatusResolved, updated.Status)
	require.True(t, updated.Determination.Same(mdecore.DeterminationNotMalicious), "%s is another name for it", updated.Determination)
	require.False(t, updated.ResolvedTime.IsZero())
	again, err := c.GetAlert(ctx, alert.ID)
	require.NoError(t, err)
	require.Equal(t, updated, again)

	var ids []string
	for a, err := range c.ListAlerts(ctx, mdecore.AlertsQuery{Page: mdecore.Page{Skip: 1, Top: 5}}) {
		require.NoError(t, err)
		ids = append(ids, a.ID)
	}
	results, err := c.BatchUpdateAlerts(ctx, mdecore.BatchUpdateAlertsRequest{AlertIDs: ids, UpdateAlertRequest: mdecore.UpdateAlertRequest{AssignedTo: "secop2@contoso.com"}})
	require.NoError(t, err)
	require.Len(t, results, 5)
	owned := 0
	for a, err := range c.ListAlerts(ctx, mdecore.AlertsQuery{Filter: "assignedTo eq 'secop2@contoso.com'"}) {
		require.NoError(t, err)
		require.Contains(t, ids, a.ID)
		owned++
	}
	require.Equal(t, 5, owned)
	results, err = c.BatchUpdateAlerts(ctx, mdecore.BatchUpdateAlertsRequest{AlertIDs: []string{"da1_1"}, UpdateAlertRequest: mdecore.UpdateAlertRequest{Comment: "x"}})
	require.True(t, mdecore.IsNotFound(err) && mdecore.Refused(results[0].Err))
	require.Len(t, tenant.Effects(), 2)
}

func TestWhatAlertsNameInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{PageSize: 40}
	c, ctx := simulated(t, tenant, nil), t.Context()
	alert := newest(t, c)
	machine, err := c.GetAlertMachine(ctx, alert.ID)
	require.NoError(t, err)
	require.Equal(t, tenant.Device("host01").ID, machine.ID)
	user, err := c.GetAlertUser(ctx, alert.ID)
	require.NoError(t, err)
	require.Equal(t, "anna.berg", user.AccountName)
	require.Equal(t, 2, countOf(t, c.ListUserMachines(ctx, user.AccountName)))
	require.NotZero(t, countOf(t, c.ListUserAlerts(ctx, user.AccountName)))
	for f, err := range c.ListAlertFiles(ctx, alert.ID) {
		require.NoError(t, err)
		require.Len(t, f.MD5, 32)
		file, err := c.GetFile(ctx, f.SHA256)
		require.NoError(t, err)
		require.Equal(t, f.SHA1, file.SHA1)
		stats, err := c.GetFileStats(ctx, f.SHA1, mdecore.StatsQuery{LookBackHours: 720})
		require.NoError(t, err)
		require.EqualValues(t, stats.OrganizationPrevalence, countOf(t, c.ListFileMachines(ctx, f.SHA1))-stale(t, c, f.SHA1), "all pages of the list are read")
		require.NotZero(t, countOf(t, c.ListFileAlerts(ctx, f.SHA1)))
	}
	for ip, err := range c.ListAlertIPs(ctx, alert.ID) {
		require.NoError(t, err)
		require.Equal(t, 1, countOf(t, c.ListIPAlerts(ctx, netip.MustParseAddr(ip.ID))))
		stats, err := c.GetIPStats(ctx, netip.MustParseAddr(ip.ID), mdecore.StatsQuery{})
		require.NoError(t, err)
		require.EqualValues(t, 1, stats.OrganizationPrevalence)
	}
	require.Zero(t, countOf(t, c.ListAlertDomains(ctx, alert.ID)))
	domain, err := c.GetDomainStats(ctx, "Beacon.Example.org", mdecore.StatsQuery{})
	require.NoError(t, err)
	require.EqualValues(t, domain.OrganizationPrevalence, countOf(t, c.ListDomainMachines(ctx, "beacon.example.org")))
	require.NotZero(t, countOf(t, c.ListDomainAlerts(ctx, "beacon.example.org")))
	_, err = c.GetFile(ctx, fileSHA1)
	require.True(t, mdecore.IsNotFound(err))
}

// stale counts the machines with a file that were not seen in the last 30 days, which statistics leave out.
func stale(t *testing.T, c *mdecore.Client, sha1 string) (n int) {
	t.Helper()
	for m, err := range c.ListFileMachines(t.Context(), sha1) {
		require.NoError(t, err)
		if time.Since(m.LastSeen.Time) > 30*24*time.Hour {
			n++
		}
	}
	return n
}

// countOf counts the items of a list.
func countOf[T any](t *testing.T, items func(func(*T, error) bool)) (n int) {
	t.Helper()
	for _, err := range items {
		require.NoError(t, err)
		n++
	}
	return n
}

func TestAlertByReferenceInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{}, nil)
	_, err := c.CreateAlertByReference(t.Context(), newAlert())
	require.True(t, mdecore.IsNotFound(err) && mdecore.Refused(err), "no such event: %v", err)
}

func TestAlertCommentTimes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"createdTime", "createTime"} {
		var c mdecore.AlertComment
		require.NoError(t, json.Unmarshal([]byte(`{"comment":"c","createdBy":"b","`+name+`":"2020-07-21T01:00:37.8404534Z"}`), &c))
		require.Equal(t, 2020, c.CreatedTime.Year())
		require.Equal(t, "cb", c.Comment+c.CreatedBy)
	}
	require.Error(t, json.Unmarshal([]byte(`{"createTime":5}`), new(mdecore.AlertComment)))
}

func TestDeterminationsWithTwoNames(t *testing.T) {
	t.Parallel()
	require.True(t, mdecore.DeterminationClean.Same(mdecore.DeterminationNotMalicious))
	require.True(t, mdecore.DeterminationConfirmedActivity.Same(mdecore.DeterminationConfirmedUserActivity))
	require.False(t, mdecore.DeterminationClean.Same(mdecore.DeterminationConfirmedActivity))
	require.False(t, mdecore.DeterminationClean.Same(""))
}
