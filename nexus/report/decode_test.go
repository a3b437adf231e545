package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

// refusal reads what has to be refused, and returns what people are told.
func refusal(t testing.TB, fault report.Fault, data []byte) string {
	t.Helper()
	return refusalWith(t, fault, data, report.Limits{})
}

func refusalWith(t testing.TB, fault report.Fault, data []byte, l report.Limits) string {
	t.Helper()
	r, err := report.Read(bytes.NewReader(data), l)
	require.Nil(t, r)
	var failed *report.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, fault, failed.Fault, failed.Text)
	require.NotEmpty(t, failed.Text)
	return failed.Text
}

const allSections = `{"diagnosticInformation": {}, "mdeDefinitions": {}, "generalHealth": {}, "mdeConfiguration": {}, "scanList": [],
	"threatInformation": {"list": {"threats": {"scans": []}}, "quarantineList": {"threats": []}}}`

func TestMissingSections(t *testing.T) {
	const list, quarantine = "threatInformation.list", "threatInformation.quarantineList"
	require.Empty(t, read(t, []byte(allSections)).Missing)
	others := func(but ...string) []string {
		var missing []string
		for _, section := range []string{"diagnosticInformation", "mdeDefinitions", "generalHealth", "mdeConfiguration", "scanList", "threatInformation"} {
			if len(but) == 0 || section != but[0] {
				missing = append(missing, section)
			}
		}
		return missing
	}
	for _, c := range []struct {
		doc  string
		want []string
	}{
		{`{"scanList": null}`, others()},
		{`{"scanList": []}`, others("scanList")},
		{`{"scanList": "the agent is down"}`, others()},
		{`{"scanList": {}}`, others()},
		{`{"generalHealth": []}`, others()},
		{`{"generalHealth": {}}`, others("generalHealth")},
		{`{"diagnosticInformation": null}`, others()},
		{`{"diagnosticInformation": []}`, others("diagnosticInformation")},
		{`{"mdeDefinitions": null}`, others()},
		{`{"mdeDefinitions": 1}`, others("mdeDefinitions")},
		{`{"mdeConfiguration": "x"}`, others("mdeConfiguration")},
		{`{"threatInformation": []}`, others()},
		{`{"threatInformation": {}}`, append(others("threatInformation"), list, quarantine)},
		{`{"threatInformation": {"list": null, "quarantineList": null}}`, append(others("threatInformation"), list, quarantine)},
		{`{"threatInformation": {"list": {}, "quarantineList": {}}}`, append(others("threatInformation"), list, quarantine)},
		{`{"threatInformation": {"list": {"threats": []}, "quarantineList": []}}`, append(others("threatInformation"), list, quarantine)},
		{`{"threatInformation": {"list": {"threats": {"scans": null}}, "quarantineList": {"threats": null}}}`, append(others("threatInformation"), list, quarantine)},
		{`{"threatInformation": {"list": {"threats": {"scans": []}}}}`, append(others("threatInformation"), quarantine)},
		{`{"threatInformation": {"quarantineList": {"threats": []}}}`, append(others("threatInformation"), list)},
		{`{"threat_information": {"list": {"threats": {"scans": []}}, "quarantine_list": {"threats": [null]}}}`, others("threatInformation")},
	} {
		require.Equal(t, c.want, read(t, []byte(c.doc)).Missing, c.doc)
	}
	r := read(t, []byte(`{"scanList": "the agent is down", "threatInformation": {"quarantineList": ["x"]}}`))
	require.Equal(t, `"the agent is down"`, string(r.Raw["scanList"]), "what stands there instead is kept")
	require.Equal(t, `["x"]`, string(r.Raw["threatInformation.quarantineList"]))
}

func TestHealth(t *testing.T) {
	yes, no := true, false
	for fields, want := range map[string]report.Health{
		`"healthy": true, "licensed": "false", "real_time_protection_enabled": {"value": true}, "passiveModeEnabled": {"value": "false"}`: {
			Healthy: &yes, Licensed: &no, RealTimeProtection: &yes, PassiveMode: &no,
		},
		`"healthy": null, "licensed": "", "realTimeProtectionEnabled": "maybe", "passiveModeEnabled": 1`: {},
		`"healthIssues": ["a", {"value": "b"}, "", null]`:                                                {Issues: []string{"a", "b"}},
		`"healthIssues": "a"`: {Issues: []string{"a"}},
		`"definitionsStatus": {"$type": "upToDate"}, "definitionsVersion": "1.2", "definitionsUpdated": "5"`:                   {DefinitionsStatus: "upToDate", DefinitionsVersion: "1.2", DefinitionsUpdated: at(5)},
		`"definitions_status": "upToDate", "definitions_updated": 0`:                                                           {DefinitionsStatus: "upToDate"},
		`"definitionsUpdated": "Nov 20, 2025 at 08:00:00 AM"`:                                                                  {},
		`"tamperProtection": {"value": "block", "source": "x"}, "edrMachineId": "e", "appVersion": "a", "engine_version": "v"`: {TamperProtection: "block", EDRMachineID: "e", AppVersion: "a", EngineVersion: "v"},
	} {
		require.Equal(t, want, read(t, []byte(`{"generalHealth": {`+fields+`}}`)).Health, fields)
	}
	r := read(t, []byte(`{"generalHealth": {"definitionsUpdated": "Nov 20", "orgId": "o", "healthy": "so so", "cloudEnabled": {"value": true}}}`))
	require.Len(t, r.Raw, 4)
	require.Equal(t, `"Nov 20"`, string(r.Raw["generalHealth.definitionsUpdated"]))
	require.Equal(t, `{"value":true}`, string(r.Raw["generalHealth.cloudEnabled"]))

	r = read(t, []byte(`{"generalHealth": {"healthIssues": [`+strings.Repeat(`"x",`, 100)+`"y"]}}`))
	require.Len(t, r.Health.Issues, 100)
	require.Equal(t, []string{"generalHealth.healthIssues[]"}, r.Cut)
}

func TestWhatIsKeptRawIsBounded(t *testing.T) {
	r := read(t, []byte(`{"scanList": [], "a": "`+strings.Repeat("x", 16<<10)+`", "b": [ 1 , { "c" : " d " } ], "nothing": null, "bad": "`+"\xff"+`"}`))
	require.Equal(t, []string{"a"}, r.Cut)
	require.Equal(t, map[string]json.RawMessage{"b": json.RawMessage(`[1,{"c":" d "}]`), "bad": json.RawMessage(`"` + "\ufffd" + `"`)}, r.Raw)

	var doc strings.Builder
	doc.WriteString(`{"scanList": [`)
	for i := range 1000 {
		fmt.Fprintf(&doc, `{"startTime": %d, "extra": %q},`, i+1, strings.Repeat("x", 500))
	}
	doc.WriteString(`null]`)
	for i := range 300 {
		fmt.Fprintf(&doc, `, "section\u202e%d": %q`, i, strings.Repeat("x", 17_000))
	}
	r = read(t, []byte(doc.String()+"}"))
	total := 0
	for path, raw := range r.Raw {
		total += len(path) + len(raw)
	}
	require.LessOrEqual(t, total, 64<<10)
	require.Greater(t, total, 60<<10)
	require.Len(t, r.Cut, 100)
	require.Equal(t, "scanList[].extra", r.Cut[0], "told once, not for every scan")
	require.Equal(t, "section\ufffd0", r.Cut[1], "a name that turns text around is made harmless")
	require.Len(t, r.Scans, 1000)
}

func TestTextThatIsNotAReport(t *testing.T) {
	deep := func(n int) string {
		return `{"mdeConfiguration": ` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	read(t, []byte(deep(999)))
	var fields strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&fields, `"f%d": 1,`, i)
	}
	for text, reason := range map[string]string{
		deep(1000):                         "deeper than 1000",
		`[]`:                               "instead of '{'",
		`"text"`:                           "instead of '{'",
		`null`:                             "instead of '{'",
		`<?xml version="1.0"?><Error>`:     `'<' instead of '{'`,
		`{}`:                               "none of its fields",
		`{"error": {"code": "x"}}`:         "none of its fields",
		`{"scanList": []} x`:               "something follows the report",
		`{"scanList": []}{"scanList": []}`: "something follows the report",
		`{"scanList": []}` + "\x00":        "something follows the report",
		`{"scanList": [], "scanList": []}`: `"scanList" comes twice`,
		`{"scanList": [], "scan_list": [{"type": "a"}]}`:                                             `"scanList" comes twice`,
		`{"scanList": [{"startTime": 1, "start_time": 2}]}`:                                          `"start_time" comes twice`,
		`{"scanList": [{"extra": 1, "extra": 2}]}`:                                                   `"extra" comes twice`,
		`{"threatInformation": {"list": {}, "list": {}}}`:                                            `"list" comes twice`,
		`{"threatInformation": {"quarantineList": 1, "quarantine_list": 2}}`:                         `"quarantineList" comes twice`,
		`{` + fields.String() + `"scanList": []}`:                                                    "more than 10000 fields",
		`{` + fields.String()[:strings.Index(fields.String(), `"f50"`)] + `"f3": 1, "scanList": []}`: `"f3" comes twice`,
		`{"scanList": [],}`:        "an entry after the comma",
		`{"scanList": [1,]}`:       "an entry after the comma",
		`{"scanList": [1 2]}`:      "instead of ','",
		`{"scanList" []}`:          "instead of ':'",
		`{scanList: []}`:           "the name of a field",
		`{"scanList": [tru]}`:      "instead of true",
		`{"scanList": [nan]}`:      "instead of null",
		`{"scanList": [01]}`:       "instead of ','",
		`{"scanList": [1.]}`:       "a digit",
		`{"scanList": [-]}`:        "a digit",
		`{"scanList": [1e+]}`:      "a digit",
		`{"scanList": ["\x"]}`:     "instead of what may follow a \\",
		`{"scanList": ["\u12G4"]}`: "a hexadecimal digit",
		"{\"scanList\": [\"\n\"]}": "a control character (0x0a) in a text (byte 16 in scanList[0])",
		`{"scanList": [}`:          "instead of a value",
		`{"scanList": []]`:         "instead of ','",
		`{"mdeConfiguration": {]}`: "the name of a field",
		`{"mdeConfiguration": [}}`: "instead of a value",
	} {
		require.Contains(t, refusal(t, report.FaultInvalid, []byte(text)), reason, text[:min(len(text), 100)])
	}
	require.Contains(t, refusal(t, report.FaultCut, nil), "empty")
	require.Contains(t, refusal(t, report.FaultCut, []byte(" \n")), "after 2 bytes")
	require.Contains(t, refusal(t, report.FaultCut, []byte(`{"scanList": [{"type": "qui`)), "after 27 bytes in scanList[0].type")
}

func TestTextAroundAReport(t *testing.T) {
	r := read(t, []byte("\ufeff\r\n\t "+allSections+"\n\n"))
	require.Empty(t, r.Missing)
	require.Equal(t, int64(len(allSections)+9), r.Size)
	require.Empty(t, r.Name)
}
