package mdesim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func (r *rig) tagMany(value, action string, ids ...string) answer {
	r.t.Helper()
	body, err := json.Marshal(map[string]any{"Value": value, "Action": action, "MachineIds": ids})
	require.NoError(r.t, err)
	return r.send(http.MethodPost, "/api/machines/AddOrRemoveTagForMultipleMachines", string(body))
}

func TestTagsOfOneDevice(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	id := r.Device("host01").ID
	tags := func(body string) any {
		a := r.send(http.MethodPost, "/api/machines/"+id+"/tags", body)
		require.Equal(t, 200, a.status, string(a.raw))
		require.Equal(t, id, a.str("id"))
		require.Equal(t, a.body["machineTags"], r.get("/api/machines/" + id).body["machineTags"])
		return a.body["machineTags"]
	}
	require.Equal(t, []any{"workstation", "x"}, tags(`{"Value":"x","Action":"Add"}`))
	require.Equal(t, []any{"workstation", "x"}, tags(`{"Value":"workstation","Action":"Add"}`), "no tag twice, and none moves")
	require.Equal(t, []any{"workstation"}, tags(`{"Value":"x","Action":"Remove"}`))
	require.Equal(t, []any{"workstation"}, tags(`{"Value":"x","Action":"Remove"}`))
	require.Equal(t, []any{}, tags(`{"Value":"workstation","Action":"Remove"}`), "never null")
	require.Equal(t, []string{"host01.contoso.com"}, r.filter("machines", "computerDnsName eq 'host01.contoso.com' and not machineTags/any(t:t eq 'workstation')").names())
	require.Len(t, r.Effects(), 5)
	for body, code := range map[string]string{
		`{"Action":"Add"}`: "MissingRequiredParameter", `{"Value":" ","Action":"Add"}`: "MissingRequiredParameter", `{"Value":"x"}`: "MissingRequiredParameter",
		`{"Value":"x","Action":"add"}`: "InvalidInput", `{"value":"x","Action":"Add"}`: "InvalidRequestBody", `{"Value":["x"],"Action":"Add"}`: "InvalidRequestBody",
	} {
		refused(t, r.send(http.MethodPost, "/api/machines/"+id+"/tags", body), 400, code, "")
	}
	refused(t, r.send(http.MethodPost, "/api/machines/nobody/tags", `{"Value":"x","Action":"Add"}`), 404, "ResourceNotFound", "nobody")
	require.Len(t, r.Effects(), 5)
}

func TestTagsOfManyDevices(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: 600})
	a, b := r.Device("host01").ID, r.Device("host02").ID
	got := r.tagMany("wave", "Add", a, strings.ToUpper(b), "nobody", a)
	require.Equal(t, 200, got.status, string(got.raw))
	require.Equal(t, []string{"host01.contoso.com", "host02.contoso.com"}, got.names(), "each once, and none that is unknown")
	require.Contains(t, r.Device("host02").MachineTags, "wave")
	require.NotContains(t, r.Device("host03").MachineTags, "wave")
	effects := r.Effects()
	require.Len(t, effects, 2)
	require.Equal(t, mdesim.TypeAddTag+" wave "+a, effects[0].Type+" "+effects[0].Scope+" "+effects[0].MachineID)
	refused(t, r.tagMany("wave", "Add", "nobody"), 404, "ResourceNotFound", "None")
	refused(t, r.tagMany("wave", "Add"), 400, "MissingRequiredParameter", "MachineIds")
	refused(t, r.tagMany("", "Add", a), 400, "MissingRequiredParameter", "Value")
	refused(t, r.send(http.MethodPost, "/api/machines/AddOrRemoveTagForMultipleMachines", `{"Value":"x","Action":"Add","MachineIds":"`+a+`"}`), 400, "InvalidRequestBody", "MachineIds")
	refused(t, r.send(http.MethodPost, "/api/machines/AddOrRemoveTagForMultipleMachines", `{"Value":1,"Action":"Add","MachineIds":["`+a+`"]}`), 400, "InvalidRequestBody", "Value")
	var all []string
	for _, m := range r.get("/api/machines").values() {
		all = append(all, m["id"].(string))
	}
	refused(t, r.tagMany("wave", "Remove", all[:501]...), 400, "MaximumBatchSizeExceeded", "Received: 501, allowed: 500")
	require.Len(t, r.Effects(), 2)
	require.Len(t, r.tagMany("wave", "Remove", all[:500]...).values(), 500)
	require.Equal(t, []string{}, append([]string{}, r.get("/api/machines/findbytag?tag=wave").names()...))
}

func TestValueAndTagsTogether(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	id := r.Device("dc01").ID
	set := func(body string) answer { return r.send(http.MethodPost, "/api/machines/"+id+"/setDeviceValue", body) }
	patch := func(body string) answer { return r.send(http.MethodPatch, "/api/machines/"+id, body) }
	require.Equal(t, "Low", set(`{"DeviceValue":"Low"}`).str("deviceValue"))
	require.Equal(t, []string{"dc01.contoso.com"}, r.filter("machines", "deviceValue eq 'Low'").names())
	refused(t, set(`{"DeviceValue":"low"}`), 400, "InvalidInput", "low")
	refused(t, set(`{"deviceValue":"Low"}`), 400, "InvalidRequestBody", "deviceValue")
	refused(t, set(`{}`), 400, "MissingRequiredParameter", "DeviceValue")
	a := patch(`{"machineTags":["a","b"]}`)
	require.Equal(t, []any{"a", "b"}, a.body["machineTags"], "replaced by what is sent")
	require.Equal(t, "Low", a.str("deviceValue"))
	a = patch(`{"deviceValue":"High"}`)
	require.Equal(t, []any{"a", "b"}, a.body["machineTags"])
	require.Equal(t, "High", a.str("deviceValue"))
	require.Equal(t, "High", patch(`{"deviceValue":null,"machineTags":[]}`).str("deviceValue"))
	require.Empty(t, r.Device("dc01").MachineTags)
	refused(t, patch(`{"MachineTags":["a"]}`), 400, "InvalidRequestBody", "MachineTags")
	refused(t, patch(`{"machineTags":"a"}`), 400, "InvalidRequestBody", "machineTags")
	refused(t, patch(`{"deviceValue":"None"}`), 400, "InvalidInput", "None")
	refused(t, patch(`{"computerDnsName":"x"}`), 400, "InvalidRequestBody", "computerDnsName")
	refused(t, r.send(http.MethodPatch, "/api/machines/nobody", `{}`), 404, "ResourceNotFound", "nobody")
	require.Len(t, r.Effects(), 4)
}

func TestFindByTag(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	find := func(query string) answer { return r.get("/api/machines/findbytag?" + query) }
	require.ElementsMatch(t, []string{"ceo-laptop.contoso.com", "cfo-laptop.contoso.com"}, find("tag=vip").names())
	require.Empty(t, find("tag=vi").values())
	require.Empty(t, find("tag=VIP").values())
	require.Len(t, find("tag=vi&useStartsWithFilter=true").values(), 2)
	require.Empty(t, find("tag=vi&useStartsWithFilter=false").values())
	refused(t, find(""), 400, "MissingRequiredParameter", "tag")
	refused(t, find("tag=vip&useStartsWithFilter=maybe"), 400, "InvalidInput", "maybe")
}

func TestFindInfoByIP(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	find := func(at, key string) answer {
		return r.get(fmt.Sprintf("/api/machines/find(timestamp=%s,key=%s)", at, key))
	}
	const today = "2026-11-22T08:50:00Z"
	require.ElementsMatch(t, []string{"vdi-a01.contoso.com", "vdi-a02.contoso.com"}, find(today, "'10.99.0.9'").names())
	refused(t, find(today, "'192.0.2.1'"), 404, "ResourceNotFound", "192.0.2.1")
	refused(t, find(today, "10.99.0.9"), 400, "InvalidIpAddress", "quotes")
	refused(t, find(today, "'10.99.0.999'"), 400, "InvalidIpAddress", "10.99.0.999")
	refused(t, find("2026-10-01T00:00:00Z", "'10.99.0.9'"), 400, "InvalidInput", "30 days")
	refused(t, find("yesterday", "'10.99.0.9'"), 400, "InvalidInput", "timestamp")
}
