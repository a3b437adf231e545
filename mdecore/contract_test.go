package mdecore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// contractDir is the directory with the API as data: resources.json, operations.json and samples/.
func contractDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MDE_CONTRACT_DIR")
	if dir == "" {
		t.Skip("set MDE_CONTRACT_DIR to the directory with the API's resources.json, operations.json and samples/ to compare this client with them")
	}
	return dir
}

func TestContractSamplesDecode(t *testing.T) {
	dir := filepath.Join(contractDir(t), "samples")
	one := func(into any) func(*testing.T, []byte) {
		return func(t *testing.T, data []byte) {
			require.NoError(t, json.Unmarshal(data, into))
			require.NotEmpty(t, reflect.ValueOf(into).Elem().FieldByName("ID").String())
		}
	}
	many := func(check func(*testing.T, []byte)) func(*testing.T, []byte) {
		return func(t *testing.T, data []byte) {
			var page struct{ Value []json.RawMessage }
			require.NoError(t, json.Unmarshal(data, &page))
			require.NotEmpty(t, page.Value)
			for _, item := range page.Value {
				check(t, item)
			}
		}
	}
	alert, machine, action := one(new(mdecore.Alert)), one(new(mdecore.Machine)), one(new(mdecore.MachineAction))
	samples := map[string]func(*testing.T, []byte){
		"get_alert": alert, "list_alerts": many(alert), "get_machine": machine, "get_alert_machine": machine, "list_machines": many(machine),
		"get_machine_action": action, "list_machine_actions": many(action),
	}
	for name, check := range samples {
		files, err := filepath.Glob(filepath.Join(dir, name+".*response.json"))
		require.NoError(t, err)
		require.NotEmpty(t, files, name)
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				data, err := os.ReadFile(file)
				require.NoError(t, err)
				check(t, data)
			})
		}
	}
}

func TestContractRequestsHaveTheDocumentedFields(t *testing.T) {
	dir := filepath.Join(contractDir(t), "samples")
	for name, body := range map[string]any{
		"isolate_machine": mdecore.IsolateRequest{}, "unisolate_machine": mdecore.UnisolateRequest{}, "cancel_machine_action": mdecore.CancelRequest{},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name+".request.json"))
		require.NoError(t, err)
		ours, err := json.Marshal(body)
		require.NoError(t, err)
		var want, got map[string]any
		require.NoError(t, json.Unmarshal(data, &want))
		require.NoError(t, json.Unmarshal(ours, &got))
		for field := range want {
			require.Contains(t, got, field, name)
		}
		require.Len(t, got, len(want), name)
	}
}

func TestContractResourcesAreComplete(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(contractDir(t), "resources.json"))
	require.NoError(t, err)
	var resources []struct {
		Name       string
		Properties []struct{ Name string }
	}
	require.NoError(t, json.Unmarshal(data, &resources))
	types := map[string]any{
		"alert": mdecore.Alert{}, "alertComment": mdecore.AlertComment{}, "alertEvidence": mdecore.AlertEvidence{}, "machine": mdecore.Machine{},
		"ipAddress": mdecore.IPAddress{}, "machineAction": mdecore.MachineAction{}, "relatedFileInfo": mdecore.RelatedFileInfo{},
		"liveResponseCommandStatus": mdecore.CommandStatus{}, "liveResponseCommand": mdecore.Command{},
	}
	compared := 0
	for _, r := range resources {
		ours, ok := types[r.Name]
		if !ok {
			continue
		}
		compared++
		tags := jsonTags(ours)
		for _, p := range r.Properties {
			require.Contains(t, tags, p.Name, "resource %s", r.Name)
		}
	}
	require.Equal(t, len(types), compared)
}

func jsonTags(v any) (tags []string) {
	typ := reflect.TypeOf(v)
	for i := range typ.NumField() {
		tag, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		tags = append(tags, tag)
	}
	return tags
}

func TestContractOperationsMatchTheDirectives(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(contractDir(t), "operations.json"))
	require.NoError(t, err)
	var documented []struct {
		Method, Path, Doc string
		Permissions       struct {
			Application []string
			Older       struct{ Application []string } `json:"older_revisions"`
		}
	}
	require.NoError(t, json.Unmarshal(data, &documented))
	byEndpoint := map[string]int{}
	for i, op := range documented {
		byEndpoint[op.Method+" "+sameNames(op.Path)] = i
	}
	for method, d := range directives(t) {
		i, ok := byEndpoint[d.method+" "+sameNames(d.path)]
		require.True(t, ok, "%s: %s %s is not documented", method, d.method, d.path)
		op := documented[i]
		require.Contains(t, d.doc, op.Doc, "%s must name its page", method)
		require.ElementsMatch(t, append(op.Permissions.Application, op.Permissions.Older.Application...), d.roles, method)
	}
}
