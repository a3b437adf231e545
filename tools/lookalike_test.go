package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// double adds a device that is host02 in everything but its name.
func (w *world) double(name string) mdesim.Machine {
	m := w.Tenant.Device("host02")
	m.ID, m.AADDeviceID, m.ComputerDNSName = "", "", name
	return w.Tenant.AddDevice(m)
}

func TestANameThatOnlyLooksLikeTheReferenceIsNeverMatched(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	right := w.Tenant.Device("host01")
	w.double("h\u043est01.contoso.com") // a Cyrillic o
	w.double("ho\u017ft01.contoso.com") // a long s, which folds to s
	w.double("dis\u212a7.contoso.com")  // the Kelvin sign, whose lower case is k
	v, _ := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	require.Len(t, v.Targets, 1)
	require.Equal(t, right.ID, v.Targets[0].ID)
	for _, ref := range []string{"disk7", "disk7.contoso.com", "h\u043est01", "h\uff4fst01", "ho\u017ft01"} {
		_, err := w.call("isolate_devices", fmt.Sprintf(`{"devices":[%q],"reason":"x"}`, ref))
		require.Error(t, err, ref)
	}
	many := `{"devices":["disk7","host02","host03","host04","host05"],"reason":"x"}`
	_, err := w.call("isolate_devices", many)
	require.ErrorContains(t, err, `no device answers to "disk7"`, "in a fleet neither")
}

// To lower case the Kelvin sign is a k; a service that folds names so must not choose the device.
func TestLettersThatFoldToASCIIAreNotASCII(t *testing.T) {
	t.Parallel()
	r, err := parseRef("disk7")
	require.NoError(t, err)
	require.True(t, r.matches("DISK7.contoso.com."))
	require.False(t, r.matches("dis\u212a7.contoso.com"))
	require.False(t, r.matches("di\u017fk7"))
	found := make([][]*mdecore.Machine, 1)
	require.NoError(t, assign([]ref{r}, []*mdecore.Machine{{ID: strings.Repeat("1", 40), ComputerDNSName: "dis\u212a7"}}, found))
	require.Empty(t, found[0])
}

func TestAPlanNamesTheIDOfADeviceWhoseNameIsNotPlain(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	odd := w.double("h\u043est01.contoso.com")
	v := w.ok("isolate_devices", fmt.Sprintf(`{"devices":[%q,"host01"],"reason":"x","dry_run":true}`, odd.ID)).Output.(requestView)
	for _, text := range []string{v.Preview, v.Steps[0].Summary} {
		require.Contains(t, text, "h<U+043E>st01.contoso.com (id "+odd.ID+")")
	}
	all := strings.Join(v.Warnings, "\n")
	require.Contains(t, all, "is not plain ASCII")
	require.Contains(t, all, "their names look alike")
	require.Contains(t, all, w.Tenant.Device("host01").ID)
}

func TestNamesThatLookAlikeAreWarnedOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		names []string
		want  int
	}{
		"fleet":               {[]string{"host01", "host02", "host10", "host11", "db.a.com", "db.b.com"}, 0},
		"zero and o":          {[]string{"host01", "hosto1"}, 1},
		"one and l":           {[]string{"sqll", "sql1"}, 1},
		"rn and m":            {[]string{"rnail", "mail"}, 1},
		"case and dot":        {[]string{"Mail.", "mail"}, 1},
		"the same name twice": {[]string{"mail", "mail"}, 1},
		"accent":              {[]string{"m\u00e4il", "mail"}, 2},
		"combining":           {[]string{"ma\u0301il", "mail"}, 2},
		"full width":          {[]string{"\uff4dail", "mail"}, 2},
		"hidden":              {[]string{"ma\u200bil", "mail"}, 2},
		"greek":               {[]string{"m\u03b1il", "mail"}, 2},
		"no name":             {[]string{"", ""}, 0},
	} {
		var devices []*mdecore.Machine
		for i, n := range c.names {
			devices = append(devices, &mdecore.Machine{ID: fmt.Sprintf("%040d", i), ComputerDNSName: n})
		}
		require.Len(t, lookalikes(devices), c.want, name)
	}
	var many []*mdecore.Machine
	for i := range 100 {
		many = append(many, &mdecore.Machine{ID: fmt.Sprintf("%040d", i), ComputerDNSName: "same"})
	}
	require.Len(t, lookalikes(many), maxAlike+1)
	require.Contains(t, lookalikes(many)[maxAlike], "79 more")
}

func TestAFleetIsAskedForManyAtATime(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	d := w.Tenant.Device
	refs := []string{d("host01").ID, strings.ToUpper(d("host02").ID), "host03", d("host04").ComputerDNSName, string(d("host05").AADDeviceID), "HOST01", "host03"}
	args, err := json.Marshal(map[string]any{"devices": refs, "reason": "x"})
	require.NoError(t, err)
	before := w.gets()
	_, r := w.ask("isolate_devices", string(args))
	var ids []string
	for _, x := range r.Plan.Targets {
		ids = append(ids, x.ID)
	}
	require.Equal(t, []string{d("host01").ID, d("host02").ID, d("host03").ID, d("host04").ID, d("host05").ID}, ids, "in the order of the references, each once")
	require.Equal(t, 5+2*len(ids), w.gets()-before, "one list for each kind of reference, two lists of machine actions, and of each device its users and alerts")
}

// gets counts the requests that the tenant's API answered.
func (w *world) gets() (n int) {
	for r, times := range w.Tenant.Requests() {
		if strings.HasPrefix(r.Path, "/api/") {
			n += times
		}
	}
	return n
}

func TestAFleetWithAnUnknownOrAmbiguousDeviceIsRefused(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	missing := strings.Repeat("0", 40)
	w.refused("isolate_devices", fmt.Sprintf(`{"devices":["host01","host02","host03","host04",%q,"nosuch"],"reason":"x"}`, missing),
		approvals.KindNotFound, missing, `"nosuch"`)
	w.refused("isolate_devices", fmt.Sprintf(`{"devices":["host01","host02","host03","host04",%q],"reason":"x"}`, w.Tenant.AmbiguousName()),
		approvals.KindInvalid, "is ambiguous")
	w.Tenant.Fail(mdesim.Fault{Path: "/api/machines", Status: 500})
	w.refused("isolate_devices", `{"devices":["host01","host02","host03","host04","host05"],"reason":"x"}`, approvals.KindNoAnswer)
}

// A service that does not apply a filter answers with the whole fleet.
func TestOnlyWhatAnswersToAReferenceIsAssigned(t *testing.T) {
	t.Parallel()
	id := func(n int) string { return fmt.Sprintf("%040d", n) }
	refs := []ref{{kind: refID, text: id(1)}, {kind: refName, text: "web"}, {kind: refAAD, text: "11111111-2222-3333-4444-555555555555"}, {kind: refIP, text: "10.0.0.1"}}
	found := make([][]*mdecore.Machine, len(refs))
	require.NoError(t, assign(refs, []*mdecore.Machine{
		{ID: id(1), ComputerDNSName: "x"},
		{ID: id(2), ComputerDNSName: "WEB.contoso.com."},
		{ID: id(3), ComputerDNSName: "web2"},
		{ID: id(4), ComputerDNSName: id(1)},
		{ID: id(5), AadDeviceID: "11111111-2222-3333-4444-555555555555"},
		{ID: id(6), ComputerDNSName: "10.0.0.1"},
		{ID: id(2), ComputerDNSName: "web.contoso.com"},
	}, found))
	for i, want := range []int{1, 2, 5} {
		require.Len(t, found[i], 1)
		require.Equal(t, id(want), found[i][0].ID)
	}
	require.Empty(t, found[3])
	require.Error(t, assign(refs, []*mdecore.Machine{{ID: "x"}}, found))
}

func TestBatchesAreShortEnoughForAnAddress(t *testing.T) {
	t.Parallel()
	var refs []ref
	for i := range 1000 {
		refs = append(refs, ref{kind: refID, text: fmt.Sprintf("%040d", i)})
	}
	for i := range 100 {
		refs = append(refs, ref{kind: refName, text: strings.Repeat("n", 240) + fmt.Sprint(i)})
	}
	single, filters := batched(refs)
	require.Empty(t, single)
	require.Less(t, len(filters), 50)
	values := 0
	for _, f := range filters {
		require.LessOrEqual(t, len(f), maxBatch)
		require.NoError(t, f.Check())
		values += strings.Count(string(f), " or ") + 1
	}
	require.Equal(t, len(refs), values)
}
