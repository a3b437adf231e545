package mdecore_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestTaggingOneMachine(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	id := tenant.Device("host01").ID
	change := func(value string, action mdecore.TagAction) []string {
		m, err := c.AddOrRemoveMachineTag(t.Context(), id, mdecore.MachineTagRequest{Value: value, Action: action})
		require.NoError(t, err)
		require.Equal(t, m.MachineTags, tenant.Device("host01").MachineTags)
		return m.MachineTags
	}
	require.Equal(t, []string{"workstation", "IR-2026-11 <hold>"}, change("IR-2026-11 <hold>", mdecore.TagAdd))
	require.Equal(t, []string{"workstation", "IR-2026-11 <hold>"}, change("IR-2026-11 <hold>", mdecore.TagAdd))
	require.Equal(t, []string{"IR-2026-11 <hold>"}, change("workstation", mdecore.TagRemove))
	require.Equal(t, []string{"IR-2026-11 <hold>"}, change("workstation", mdecore.TagRemove))
	effects := tenant.Effects()
	require.Len(t, effects, 4)
	require.Equal(t, mdesim.TypeAddTag, effects[0].Type)
	require.Equal(t, "IR-2026-11 <hold>", effects[0].Scope)
	require.Equal(t, mdesim.TypeRemoveTag, effects[2].Type)
	_, err := c.AddOrRemoveMachineTag(t.Context(), machineID, mdecore.MachineTagRequest{Value: "x", Action: mdecore.TagAdd})
	require.True(t, mdecore.IsNotFound(err))
}

func TestChangingAMachine(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	id := tenant.Device("dc01").ID
	m, err := c.SetDeviceValue(t.Context(), id, mdecore.DeviceValueRequest{DeviceValue: mdecore.DeviceValueLow})
	require.NoError(t, err)
	require.Equal(t, mdecore.DeviceValueLow, m.DeviceValue)
	require.Contains(t, m.MachineTags, "tier-0", "only the value was changed")
	m, err = c.UpdateMachine(t.Context(), id, mdecore.UpdateMachineRequest{MachineTags: append(m.MachineTags, "new")})
	require.NoError(t, err)
	require.Equal(t, []string{"tier-0", "domain-controller", "new"}, m.MachineTags)
	require.Equal(t, mdecore.DeviceValueLow, m.DeviceValue, "only the tags were changed")
	m, err = c.UpdateMachine(t.Context(), id, mdecore.UpdateMachineRequest{MachineTags: []string{}, DeviceValue: mdecore.DeviceValueHigh})
	require.NoError(t, err)
	require.Empty(t, m.MachineTags)
	require.Equal(t, mdecore.DeviceValueHigh, m.DeviceValue)
	_, err = c.UpdateMachine(t.Context(), machineID, mdecore.UpdateMachineRequest{DeviceValue: mdecore.DeviceValueHigh})
	require.True(t, mdecore.IsNotFound(err))
	require.Len(t, tenant.Effects(), 3)
}

func TestMachineWritesSendTheDocumentedBodies(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"id":"`+machineID+`","value":[{"id":"`+machineID+`"}]}`))
	c, ctx := s.clientOf(t), t.Context()
	_, err := c.AddOrRemoveMachineTag(ctx, machineID, mdecore.MachineTagRequest{Value: "vip", Action: mdecore.TagRemove})
	require.NoError(t, err)
	_, err = c.AddOrRemoveTagForMultipleMachines(ctx, mdecore.MachinesTagRequest{Value: "vip", Action: mdecore.TagAdd, MachineIDs: []string{machineID}})
	require.NoError(t, err)
	_, err = c.SetDeviceValue(ctx, machineID, mdecore.DeviceValueRequest{DeviceValue: mdecore.DeviceValueHigh})
	require.NoError(t, err)
	for _, req := range []mdecore.UpdateMachineRequest{
		{MachineTags: []string{"a", "b"}}, {MachineTags: []string{}}, {DeviceValue: mdecore.DeviceValueLow},
	} {
		_, err = c.UpdateMachine(ctx, machineID, req)
		require.NoError(t, err)
	}
	for i, want := range []string{
		`{"Value":"vip","Action":"Remove"}`, `{"Value":"vip","Action":"Add","MachineIds":["` + machineID + `"]}`, `{"DeviceValue":"High"}`,
		`{"machineTags":["a","b"]}`, `{"machineTags":[]}`, `{"deviceValue":"Low"}`,
	} {
		require.Equal(t, want, s.received()[i].body, "names are case-sensitive, and what is not given is not sent")
	}
}

// An answer about another machine leaves open what was changed.
func TestChangesOfAnotherMachineAreUncertain(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"id":"`+strings.Repeat("ab", 20)+`"}`))
	c := s.clientOf(t)
	m, err := c.SetDeviceValue(t.Context(), machineID, mdecore.DeviceValueRequest{DeviceValue: mdecore.DeviceValueHigh})
	require.Nil(t, m)
	require.True(t, mdecore.Uncertain(err))
	m, err = c.GetMachine(t.Context(), machineID)
	require.Nil(t, m)
	require.ErrorContains(t, err, "abab")
}

func TestFindMachinesByTag(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	names := func(tag string, startsWith bool) (out []string) {
		for m, err := range c.FindMachinesByTag(t.Context(), tag, startsWith) {
			require.NoError(t, err)
			out = append(out, m.ComputerDNSName)
		}
		return out
	}
	require.ElementsMatch(t, []string{"ceo-laptop.contoso.com", "cfo-laptop.contoso.com"}, names("vip", false))
	require.ElementsMatch(t, []string{"dc01.contoso.com", "dc02.contoso.com"}, names("domain-c", true))
	require.Empty(t, names("domain-c", false))
	for _, err := range c.FindMachinesByTag(t.Context(), "vip", false) {
		require.NoError(t, err)
		break
	}
	s := newService(t, answer(200, `{"value":[{"id":"1","machineTags":["VIP"]},{"id":"2","machineTags":["vip2"]},{"id":"3"},{"id":"4","machineTags":null}]}`))
	var ids []string
	for m, err := range s.clientOf(t).FindMachinesByTag(t.Context(), "vip & co=1", true) {
		require.NoError(t, err)
		ids = append(ids, m.ID)
	}
	require.Empty(t, ids, "a service that ignores the filter must not name other machines")
	require.Equal(t, "tag=vip%20%26%20co%3D1&useStartsWithFilter=true", s.received()[0].query)
	for m, err := range s.clientOf(t).FindMachinesByTag(t.Context(), "vip", false) {
		require.NoError(t, err)
		ids = append(ids, m.ID)
	}
	require.Equal(t, []string{"1"}, ids)
	require.Equal(t, "tag=vip", s.received()[1].query)
}

func TestFindMachineInfoByIP(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	found, err := c.FindMachineInfoByIP(t.Context(), netip.MustParseAddr(tenant.AmbiguousIP()), time.Time{})
	require.NoError(t, err)
	require.Len(t, found, 2)
	found, err = c.FindMachineInfoByIP(t.Context(), netip.MustParseAddr("192.0.2.1"), time.Time{})
	require.True(t, mdecore.IsNotFound(err))
	require.Empty(t, found)
	_, err = c.FindMachineInfoByIP(t.Context(), netip.MustParseAddr("192.0.2.1"), time.Now().AddDate(0, 0, -31))
	require.True(t, mdecore.NotSent(err))
}

func TestWhatBelongsToAMachine(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	id := tenant.Device("host01").ID
	for u, err := range c.ListMachineLogonUsers(t.Context(), id) {
		require.NoError(t, err)
		require.Equal(t, "anna.berg", u.AccountName)
	}
	all, open := 0, 0
	for a, err := range c.ListMachineAlerts(t.Context(), id) {
		require.NoError(t, err)
		require.Equal(t, id, a.MachineID)
		if all++; a.Status != "Resolved" {
			open++
		}
	}
	require.Positive(t, all)
	n, err := c.CountMachineAlerts(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, all, n)
	n, err = c.CountMachineAlerts(t.Context(), id, "status ne 'Resolved'")
	require.NoError(t, err)
	require.Equal(t, open, n)
	_, err = c.CountMachineAlerts(t.Context(), machineID, "")
	require.True(t, mdecore.IsNotFound(err))
	_, err = c.CountMachineAlerts(t.Context(), "host01", "")
	require.True(t, mdecore.NotSent(err), "ids only")
	require.True(t, mdecore.IsNotFound(drain(c.ListMachineLogonUsers(t.Context(), machineID))))
}

func TestACountThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{"7": 7, `"7"`: 7, " 0\n": 0, "-1": -1, "{}": -1, "[7]": -1, "7.5": -1, "": -1, "<html>": -1} {
		n, err := newService(t, answer(200, body)).clientOf(t).CountMachineAlerts(t.Context(), machineID, "")
		require.Equal(t, want < 0, err != nil, body)
		require.Equal(t, max(want, 0), n, body)
	}
}
