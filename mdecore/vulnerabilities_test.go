package mdecore_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// items reads a list that must not fail.
func itemsOf[T any](t *testing.T, list iter.Seq2[*T, error]) []*T {
	t.Helper()
	var out []*T
	for item, err := range list {
		require.NoError(t, err)
		out = append(out, item)
	}
	return out
}

// references are the ids of machine references.
func references(list []*mdecore.MachineReference) map[string]bool {
	out := map[string]bool{}
	for _, r := range list {
		out[r.ID] = true
	}
	return out
}

func TestExposureHangsTogether(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Devices: 60}
	c := simulated(t, tenant, nil)
	ctx := t.Context()
	host := tenant.Device("srv-legacy01")
	found := itemsOf(t, c.ListMachineVulnerabilities(ctx, host.ID))
	require.NotEmpty(t, found)
	for _, v := range found[:1] {
		one, err := c.GetVulnerability(ctx, v.ID)
		require.NoError(t, err)
		require.Equal(t, v, one)
		require.NotZero(t, v.CVSSV3)
		require.False(t, v.PublishedOn.IsZero())
		machines := references(itemsOf(t, c.ListVulnerabilityMachines(ctx, v.ID)))
		require.True(t, machines[host.ID])
		require.Len(t, machines, int(v.ExposedMachines))
	}
	rows := itemsOf(t, c.ListVulnerabilitiesByMachineAndSoftware(ctx, mdecore.Query{
		Filter: mdecore.Filter("machineId eq '" + host.ID + "'"),
	}))
	cves := map[string]bool{}
	for _, r := range rows {
		cves[r.CVEID] = true
		s, err := c.GetSoftware(ctx, r.ProductVendor+"-_-"+r.ProductName)
		require.NoError(t, err)
		require.True(t, references(itemsOf(t, c.ListSoftwareMachines(ctx, s.ID)))[host.ID])
	}
	require.Len(t, cves, len(found), "both lists are about the same CVEs")
	kbs := itemsOf(t, c.ListMachineMissingKBs(ctx, host.ID))
	require.NotEmpty(t, kbs)
	require.Contains(t, kbs[0].URL, string(kbs[0].ID))
}

func TestRecommendationsLeadToWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Devices: 120}
	c := simulated(t, tenant, nil)
	ctx := t.Context()
	all := itemsOf(t, c.ListRecommendations(ctx, mdecore.Query{Filter: "remediationType eq 'Update'"}))
	require.NotEmpty(t, all)
	r, err := c.GetRecommendation(ctx, all[0].ID)
	require.NoError(t, err)
	require.Equal(t, all[0], r)
	software, err := c.GetRecommendationSoftware(ctx, r.ID)
	require.NoError(t, err)
	require.Equal(t, "va-_-"+software.ID, r.ID)
	require.Equal(t, r.ExposedMachinesCount, software.ExposedMachines)
	require.Len(t, itemsOf(t, c.ListRecommendationVulnerabilities(ctx, r.ID)), int(r.Weaknesses))
	machines := itemsOf(t, c.ListRecommendationMachines(ctx, r.ID))
	require.Len(t, machines, int(r.ExposedMachinesCount))
	ids := map[string]bool{}
	for _, mine := range itemsOf(t, c.ListMachineRecommendations(ctx, machines[0].ID)) {
		ids[mine.ID] = true
	}
	require.True(t, ids[r.ID])
	settings := itemsOf(t, c.ListRecommendations(ctx, mdecore.Query{Filter: "remediationType eq 'ConfigurationChange'"}))
	require.NotEmpty(t, settings)
	_, err = c.GetRecommendationSoftware(ctx, settings[0].ID)
	require.True(t, mdecore.IsNotFound(err), "a configuration has no software: %v", err)
}

func TestOddSoftwareIDsReachTheService(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{Devices: 250}, nil)
	for _, id := range []string{"notepad-plus-plus-_-notepad++", "microsoft-_-.net_framework", "7-zip-_-7-zip"} {
		s, err := c.GetSoftware(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, id, s.ID)
		versions := 0
		for _, v := range itemsOf(t, c.ListSoftwareVersionDistribution(t.Context(), id)) {
			versions += int(v.Installations)
		}
		require.Len(t, itemsOf(t, c.ListSoftwareMachines(t.Context(), id)), versions)
	}
	s := newService(t, answer(200, `{"value":[]}`))
	client := s.clientOf(t)
	for id, path := range map[string]string{
		"a-_-b+(x64)&c=d": "/api/Software/a-_-b+%28x64%29&c=d/machineReferences", "bjørn-_-ø": "/api/Software/bj%C3%B8rn-_-%C3%B8/machineReferences",
	} {
		require.NoError(t, drain(client.ListSoftwareMachines(t.Context(), id)))
		calls := s.received()
		require.Equal(t, path, calls[len(calls)-1].path)
	}
}

func TestExposureIDsAreChecked(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{}`))
	c := s.clientOf(t)
	for _, id := range []string{"cve-2024-1234", "CVE-24-1234", "CVE-2024-123", "CVE-2024-1234x", "2024-1234", "CVE-2024-1234 ", "CVE-2024-1234'"} {
		_, err := c.GetVulnerability(t.Context(), id)
		requireInvalid(t, err, "CVE id")
	}
	for _, id := range []string{"edge", "-_-edge", "microsoft-_-", "a-_--_-b", "a-_-b/c", "a-_-b%2f", "a-_-..", "a-_-b'c", "a-_-b c", "a-_-b\u200bc", "a-_-\xff", "a-_-" + strings.Repeat("b", 200)} {
		_, err := c.GetSoftware(t.Context(), id)
		requireInvalid(t, err, "software id")
		_, err = c.GetRecommendation(t.Context(), id)
		requireInvalid(t, err, "recommendation id")
	}
	require.Empty(t, s.received())
}

func requireInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var wrong *mdecore.InvalidError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, field, wrong.Field)
	require.True(t, mdecore.NotSent(err))
}

func TestAnotherResourceIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"id":"CVE-2020-0001"}`))
	c := s.clientOf(t)
	for name, get := range map[string]func(context.Context) error{
		cveID:            func(ctx context.Context) error { _, err := c.GetVulnerability(ctx, cveID); return err },
		softwareID:       func(ctx context.Context) error { _, err := c.GetSoftware(ctx, softwareID); return err },
		recommendationID: func(ctx context.Context) error { _, err := c.GetRecommendation(ctx, recommendationID); return err },
		taskID:           func(ctx context.Context) error { _, err := c.GetRemediationTask(ctx, taskID); return err },
	} {
		err := get(t.Context())
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "CVE-2020-0001")
	}
	zeroDay := newService(t, answer(200, `{"id":"TVM-2022-0001"}`))
	v, err := zeroDay.clientOf(t).GetVulnerability(t.Context(), "TVM-2022-0001")
	require.NoError(t, err)
	require.Equal(t, "TVM-2022-0001", v.ID)
}

func TestVulnerabilityTolerance(t *testing.T) {
	t.Parallel()
	var v mdecore.Vulnerability
	require.NoError(t, json.Unmarshal([]byte(`{"Id":"CVE-2020-0001","Severity":"Novel","cvssV3":"7.5","cvssVector":null,"exposedMachines":"4",
		"publishedOn":null,"exploitTypes":null,"CveSupportability":["Supported","SupportedInPremium"],"epss":0.5,"later":{"x":1}}`), &v))
	require.Equal(t, mdecore.Vulnerability{
		ID: "CVE-2020-0001", Severity: "Novel", CVSSV3: 7.5, ExposedMachines: 4, CVESupportability: "Supported, SupportedInPremium", EPSS: 0.5,
	}, v)
	for text, want := range map[string]mdecore.CVESupportability{
		`"supported"`: "supported", `["Not Supported"]`: mdecore.CVENotSupported, `null`: "", `[]`: "",
	} {
		var got mdecore.CVESupportability
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Equal(t, want, got)
	}
	var s mdecore.CVESupportability
	require.Error(t, json.Unmarshal([]byte(`5`), &s))
}

func TestVulnerabilityFilterIsSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[]}`))
	require.NoError(t, drain(s.clientOf(t).ListVulnerabilities(t.Context(), mdecore.Query{
		Filter: "severity eq 'Critical'", Page: mdecore.Page{Top: 9000, Skip: 3},
	})))
	query := s.received()[0].query
	for _, part := range []string{"%24filter=severity%20eq%20%27Critical%27", "%24top=8000", "%24skip=3"} {
		require.True(t, strings.Contains(query, part), query)
	}
}
