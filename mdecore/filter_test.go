package mdecore_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestFilterBuilders(t *testing.T) {
	t.Parallel()
	type severity string
	at := time.Date(2026, 11, 22, 11, 0, 0, 123_456_789, time.FixedZone("CET", 3600))
	a, b, c := mdecore.Eq("a", 1), mdecore.Eq("b", 2), mdecore.Eq("c", 3)
	for want, f := range map[mdecore.Filter]mdecore.Filter{
		"computerDnsName eq 'o''brien'":                       mdecore.Eq("computerDnsName", "o'brien"),
		"severity ne 'High'":                                  mdecore.Ne("severity", severity("High")),
		"title eq ''":                                         mdecore.Eq("title", ""),
		"lastSeen gt 2026-11-22T10:00:00.1234567Z":            mdecore.Gt("lastSeen", at),
		"lastSeen ge 2026-11-22T10:00:00Z":                    mdecore.Ge("lastSeen", at.Truncate(time.Second)),
		"rbacGroupId lt -5":                                   mdecore.Lt("rbacGroupId", -5),
		"count eq 255":                                        mdecore.Eq("count", uint8(255)),
		"cvssV3 le 7.5":                                       mdecore.Le("cvssV3", 7.5),
		"cvssV3 le 0.1":                                       mdecore.Le("cvssV3", float32(0.1)),
		"size lt 1000000000000000000000":                      mdecore.Lt("size", 1e21),
		"isActive eq true":                                    mdecore.Eq("isActive", true),
		"aadDeviceId eq fd2e4d29-7072-4195-aaa5-1af139b78028": mdecore.Eq("aadDeviceId", mdecore.GUID("fd2e4d29-7072-4195-aaa5-1af139b78028")),
		"startswith(computerDnsName,'it''s')":                 mdecore.StartsWith("computerDnsName", "it's"),
		"vmMetadata/vmId eq 'x'":                              mdecore.Eq("vmMetadata/vmId", "x"),
		"":                                                    mdecore.And(),
		"status eq 'New'":                                     mdecore.And("", mdecore.Raw(" status eq 'New' "), " "),
		"a eq 1 and b eq 2 and c eq 3":                        mdecore.And(mdecore.And(a, b), c),
		"(a eq 1 or b eq 2) and c eq 3":                       mdecore.And(mdecore.Or(a, b), c),
		"(a eq 1 and b eq 2) or c eq 3":                       mdecore.Or(mdecore.And(a, b), c),
		"a eq 1 or b eq 2 or c eq 3":                          mdecore.Or(a, mdecore.Or(b, c)),
		"(a eq 1 OR b eq 2) and c eq 3":                       mdecore.And(mdecore.Raw("a eq 1 OR b eq 2"), c),
		"t eq ' or ' and c eq 3":                              mdecore.And(mdecore.Eq("t", " or "), c),
		"t eq '''' and c eq 3":                                mdecore.And(mdecore.Eq("t", "'"), c),
		"(a eq 1)or(b eq 2)":                                  mdecore.And(mdecore.Raw("(a eq 1)or(b eq 2)")),
		"((a eq 1)or(b eq 2)) and c eq 3":                     mdecore.And(mdecore.Raw("(a eq 1)or(b eq 2)"), c),
		"not (a eq 1 and b eq 2) and c eq 3":                  mdecore.And(mdecore.Not(mdecore.And(a, b)), c),
		"a eq 1 ":                                             mdecore.Filter("a eq 1 "),
		"id eq 'x'":                                           mdecore.In("id", "x"),
		"(id eq 'x' or id eq 'y') and c eq 3":                 mdecore.And(mdecore.In("id", "x", "y"), c),
		"machineTags/any(t:t eq 'x' or t eq 'y') and c eq 3":  mdecore.And(mdecore.Raw("machineTags/any(t:t eq 'x' or t eq 'y')"), c),
	} {
		require.Equal(t, want, f)
		require.NoError(t, f.Check(), "%s", f)
	}
}

func TestFilterRefusals(t *testing.T) {
	t.Parallel()
	good := mdecore.Eq("a", 1)
	for name, tc := range map[string]struct {
		filter mdecore.Filter
		text   string
	}{
		"empty name":       {mdecore.Eq("", 1), `filter "" is invalid: it is not the name`},
		"name with blank":  {mdecore.Eq("a eq 1 or b", 1), "not the name"},
		"name with quote":  {mdecore.StartsWith("a'", "x"), "not the name"},
		"digit first":      {mdecore.Eq("1a", 1), "not the name"},
		"empty path part":  {mdecore.Eq("a//b", 1), "not the name"},
		"a word of OData":  {mdecore.Eq("not", 1), "not the name"},
		"letter like a":    {mdecore.Eq("аbc", 1), "not the name"}, // Cyrillic
		"line break":       {mdecore.Eq("a", "x\ny"), "control character"},
		"NUL":              {mdecore.Eq("a", "x\x00y"), "control character"},
		"next line":        {mdecore.Eq("a", "x\u0085y"), "control character"},
		"bad UTF-8":        {mdecore.Eq("a", "x\xff"), "UTF-8"},
		"bad prefix":       {mdecore.StartsWith("a", "\x7f"), "control character"},
		"empty prefix":     {mdecore.StartsWith("a", ""), "select everything"},
		"not a number":     {mdecore.Eq("a", math.NaN()), "finite"},
		"endless":          {mdecore.Eq("a", math.Inf(1)), "finite"},
		"zero time":        {mdecore.Gt("a", time.Time{}), "zero time"},
		"far time":         {mdecore.Gt("a", time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)), "not a time"},
		"no GUID":          {mdecore.Eq("a", mdecore.GUID("1 or 1 eq 1")), "GUID"},
		"in nothing":       {mdecore.In[string]("id"), "selects nothing"},
		"in with one bad":  {mdecore.In("id", "x", "\n"), "control character"},
		"or of nothing":    {mdecore.Or(), "selects nothing"},
		"or with empty":    {mdecore.Or(good, " "), "selects everything"},
		"not of nothing":   {mdecore.Not(""), "selects nothing"},
		"not of bad":       {mdecore.Not(mdecore.Eq("", 1)), "not the name"},
		"bad inside":       {mdecore.And(good, mdecore.Or(good, mdecore.Not(mdecore.Eq("\x00", 1)))), "not the name"},
		"raw control":      {mdecore.Raw("a eq 'x\ty'"), "control character"},
		"raw open quote":   {mdecore.And(mdecore.Raw("a eq 'x"), mdecore.Eq("b", "y'")), "quote is not closed"},
		"raw open paren":   {mdecore.Raw("(a eq 1"), "parenthesis is not closed"},
		"raw closed paren": {mdecore.And(mdecore.Raw("a eq 1) or (b eq 2"), good), "no opening one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.filter.Check()
			var refused *mdecore.InvalidError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "filter", refused.Field)
			require.ErrorContains(t, err, tc.text)
			require.Error(t, mdecore.And(tc.filter, good).Check())
			require.Error(t, mdecore.Or(good, tc.filter, "b eq 2").Check())
		})
	}
}

func TestInvalidFilterIsNotSent(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Devices: 3}
	c := simulated(t, tenant, nil)
	err := drain(c.ListMachines(t.Context(), mdecore.Query{Filter: mdecore.In[string]("id")}))
	require.True(t, mdecore.NotSent(err), "%v", err)
	require.ErrorContains(t, err, "selects nothing")
	require.Empty(t, tenant.Requests())
}

func TestFilterReachesTheServiceWhole(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Devices: 3}
	odd := "o'brien+50% & co=#1?;é.test"
	tenant.AddDevice(mdesim.Machine{ID: strings.Repeat("a", 40), ComputerDNSName: odd, LastSeen: time.Now()})
	c := simulated(t, tenant, nil)
	for _, f := range []mdecore.Filter{
		mdecore.Eq("computerDnsName", odd), mdecore.StartsWith("computerDnsName", odd[:12]),
		mdecore.And(mdecore.In("computerDnsName", odd, "x"), mdecore.Not(mdecore.Eq("riskScore", "High"))),
	} {
		found := 0
		for m, err := range c.ListMachines(t.Context(), mdecore.Query{Filter: f}) {
			require.NoError(t, err)
			require.Equal(t, odd, m.ComputerDNSName)
			found++
		}
		require.Equal(t, 1, found, "%s", f)
	}
}
