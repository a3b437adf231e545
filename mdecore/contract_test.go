package mdecore_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
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

func readJSON(t *testing.T, into any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{contractDir(t)}, path...)...))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into))
}

// merged joins the maps of all families; nothing may stand in two of them.
func merged(t testing.TB, families ...map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, family := range families {
		for name, v := range family {
			require.NotContains(t, all, name)
			all[name] = v
		}
	}
	return all
}

// documented is an entry of operations.json.
type documented struct {
	ID, Family, Method, Path, Doc, State string
	Destructive                          bool
	QueryParams                          []struct{ Name string } `json:"query_params"`
	OData                                *struct {
		Filter, Expand []string
		TopMax         int `json:"top_max"`
		PageSizeMax    int `json:"page_size_max"`
	}
	Request struct {
		Fields []struct {
			Name     string
			Required bool
		}
	}
	Success     struct{ Status int }
	Permissions struct {
		Application, Delegated []string
		Older                  struct{ Application, Delegated []string } `json:"older_revisions"`
	}
	RateLimits struct {
		PerMinute int `json:"per_minute"`
		PerHour   int `json:"per_hour"`
	} `json:"rate_limits"`
	Samples []string
}

// row is the entry as our table would write it.
func (d documented) row(client string) table.Operation {
	o := table.Operation{
		ID: d.ID, Client: client, Family: d.Family, Method: d.Method, Path: d.Path, Doc: d.Doc, Success: d.Success.Status,
		PerMinute: d.RateLimits.PerMinute, PerHour: d.RateLimits.PerHour, State: d.State, Destructive: d.Destructive,
		Roles:     strings.Join(union(d.Permissions.Application, d.Permissions.Older.Application), " "),
		Delegated: strings.Join(union(d.Permissions.Delegated, d.Permissions.Older.Delegated), " "),
	}
	if o.State == "current" {
		o.State = ""
	}
	for _, f := range d.Request.Fields {
		if f.Required {
			o.Required = strings.TrimSpace(o.Required + " " + f.Name)
		}
	}
	for _, q := range d.QueryParams {
		o.Query = strings.TrimSpace(o.Query + " " + q.Name)
	}
	if d.OData != nil {
		o.Filter, o.Expand, o.MaxTop = strings.Join(d.OData.Filter, " "), strings.Join(d.OData.Expand, " "), d.OData.TopMax
		if o.MaxTop == 0 {
			o.MaxTop = d.OData.PageSizeMax
		}
	}
	return o
}

// union is a with what only b has, in that order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func TestContractTable(t *testing.T) {
	t.Parallel()
	var entries []documented
	readJSON(t, &entries, "operations.json")
	ours := map[string]table.Operation{}
	for _, o := range table.All() {
		if !o.Graph {
			ours[o.ID] = o
		}
	}
	for _, d := range entries {
		o, ok := ours[d.ID]
		require.True(t, ok, "%s is documented and not in the table", d.ID)
		require.Equal(t, d.row(o.Client), o)
		delete(ours, d.ID)
	}
	require.Empty(t, slices.Collect(maps.Keys(ours)), "in the table and not documented")
}

func TestContractResourcesAreComplete(t *testing.T) {
	t.Parallel()
	var resources []struct {
		Name       string
		Properties []struct{ Name string }
	}
	readJSON(t, &resources, "resources.json")
	types := contractResources(t)
	for _, r := range resources {
		ours, ok := types[r.Name]
		if !ok {
			t.Errorf("there is no type for the resource %s", r.Name)
			continue
		}
		tags := jsonTags(reflect.TypeOf(ours))
		for _, p := range r.Properties {
			require.True(t, tags[strings.ToLower(p.Name)], "resource %s has the property %s", r.Name, p.Name)
		}
		delete(types, r.Name)
	}
	require.Empty(t, slices.Collect(maps.Keys(types)), "types of resources that are not documented")
}

// jsonTags are the names of a struct's JSON fields in lower case, because encoding/json reads them in any case. A type
// that is no struct claims the one property that resources give a plain value.
func jsonTags(typ reflect.Type) map[string]bool {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	tags := map[string]bool{}
	if typ.Kind() != reflect.Struct {
		return tags
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Anonymous {
			maps.Copy(tags, jsonTags(field.Type))
			continue
		}
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		tags[strings.ToLower(tag)] = true
	}
	return tags
}

func TestContractRequestsHaveTheDocumentedFields(t *testing.T) {
	t.Parallel()
	var entries []documented
	readJSON(t, &entries, "operations.json")
	requests := contractRequests(t)
	for _, d := range entries {
		if len(d.Request.Fields) == 0 {
			continue
		}
		body, ok := requests[d.ID]
		if !ok {
			t.Errorf("there is no request type for %s", d.ID)
			continue
		}
		tags := exactTags(reflect.TypeOf(body))
		for _, f := range d.Request.Fields {
			require.Contains(t, tags, f.Name, "%s: body parameters are case-sensitive", d.ID)
		}
		require.Len(t, tags, len(d.Request.Fields), "%s: %v", d.ID, tags)
		delete(requests, d.ID)
	}
	require.Empty(t, slices.Collect(maps.Keys(requests)), "request types of operations without a body")
}

// exactTags are the names of a request's fields as they are sent.
func exactTags(typ reflect.Type) (tags []string) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Anonymous {
			tags = append(tags, exactTags(field.Type)...)
		} else if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "-" && field.IsExported() {
			tags = append(tags, tag)
		}
	}
	return tags
}

// TestContractSamples decodes every documented answer into its type, writes it again, and finds everything in it: every
// field is one that the type claims, and what the type claims comes back.
func TestContractSamples(t *testing.T) {
	dir := filepath.Join(contractDir(t), "samples")
	types := contractSamples(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.response.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	used, samples := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		base := filepath.Base(file)
		id, _, _ := strings.Cut(base, ".")
		if id == "error" || id == "token" {
			continue // TestContractErrors reads the errors; the token's sample is cut short
		}
		t.Run(base, func(t *testing.T) {
			into, ok := types[id]
			require.True(t, ok, "no type is named for the answers of %s", id)
			used[id] = true
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, item := range items(t, data, into) {
				roundTrip(t, item, into)
				for _, field := range unclaimed(t, reflect.TypeOf(into), item) {
					other, known := otherSpellings()[field]
					require.True(t, known, "the sample of %s has %s, which the type does not read", id, field)
					samples[field] = true
					requireSpelling(t, into, item, field, other)
				}
			}
		})
	}
	for id := range types {
		require.True(t, used[id], "%s: a type is named, but there is no sample", id)
	}
	for field := range otherSpellings() {
		require.True(t, samples[field], "%s: no sample is spelled so", field)
	}
}

// otherSpellings are the fields that samples spell in another way than the type's JSON name, which the type's own decoder
// reads all the same. They are the only fields of a sample that no type claims.
func otherSpellings() map[string]string {
	return map[string]string{"MachineAction.lastUpdateTimeUtc": "lastUpdateDateTimeUtc"}
}

// requireSpelling requires that a type reads a field the same, whichever of its two names it has.
func requireSpelling(t *testing.T, into any, item []byte, field, other string) {
	t.Helper()
	_, name, _ := strings.Cut(field, ".")
	renamed := bytes.Replace(item, []byte(`"`+name+`"`), []byte(`"`+other+`"`), 1)
	without := bytes.Replace(item, []byte(`"`+name+`"`), []byte(`"nothing"`), 1)
	values := make([]any, 3)
	for i, data := range [][]byte{item, renamed, without} {
		values[i] = fresh(into)
		require.NoError(t, json.Unmarshal(data, values[i]))
	}
	require.Equal(t, values[0], values[1], "%s is %s by another name", field, other)
	require.NotEqual(t, values[0], values[2], "%s is read", field)
}

// TestContractRequestSamples does the same with every documented request.
func TestContractRequestSamples(t *testing.T) {
	types := contractRequests(t)
	files, err := filepath.Glob(filepath.Join(contractDir(t), "samples", "*.request.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		base := filepath.Base(file)
		id, _, _ := strings.Cut(base, ".")
		t.Run(base, func(t *testing.T) {
			into, ok := types[id]
			require.True(t, ok, "no type is named for the requests of %s", id)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			roundTrip(t, data, into)
		})
	}
}

// TestContractErrors answers with every documented error and finds all of it in ours.
func TestContractErrors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(contractDir(t), "samples", "error.*.response.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var want struct {
			Error struct{ Code, Message, Target string }
		}
		require.NoError(t, json.Unmarshal(data, &want))
		require.NotEmpty(t, want.Error.Code)
		_, err = newService(t, answer(400, string(data))).clientOf(t).GetMachine(t.Context(), machineID)
		var failed *mdecore.Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, []string{want.Error.Code, want.Error.Message, want.Error.Target}, []string{failed.Code, failed.Message, failed.Target})
	}
}

// items are the elements of a list, or the answer itself when the type is of a whole answer.
func items(t *testing.T, data []byte, into any) []json.RawMessage {
	t.Helper()
	var envelope map[string]json.RawMessage
	if json.Unmarshal(data, &envelope) != nil {
		return []json.RawMessage{data} // a bare number
	}
	value := envelope["value"]
	if len(value) == 0 || value[0] != '[' || jsonTags(reflect.TypeOf(into))["value"] {
		return []json.RawMessage{data}
	}
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(value, &list))
	require.NotEmpty(t, list)
	return list
}

// unclaimed are the fields of a sample, as Type.name, that no type reads, at any depth. A type that is no struct reads
// all of its value.
func unclaimed(t *testing.T, typ reflect.Type, data json.RawMessage) (out []string) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	var list []json.RawMessage
	if typ.Kind() == reflect.Slice && json.Unmarshal(data, &list) == nil {
		for _, item := range list {
			out = append(out, unclaimed(t, typ.Elem(), item)...)
		}
		return out
	}
	var object map[string]json.RawMessage
	if typ.Kind() != reflect.Struct || json.Unmarshal(data, &object) != nil {
		return nil
	}
	for name, value := range object {
		if strings.HasPrefix(name, "@odata.") {
			continue // how the list is told, not what is in it
		}
		field, claimed := fieldOf(typ, name)
		if !claimed {
			out = append(out, typ.Name()+"."+name)
			continue
		}
		out = append(out, unclaimed(t, field, value)...)
	}
	return out
}
