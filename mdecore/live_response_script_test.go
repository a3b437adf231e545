package mdecore_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// An attacker who owns a machine owns the files that are collected from it.
func TestOnlyTheScriptsOwnResultIsItsResult(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/blob"):
			answer(200, `{"script_name":"Mine.ps1","exit_code":0,"script_output":"all clean","script_errors":""}`)(w, r)
		case strings.Contains(r.URL.Path, "GetLiveResponseResultDownloadLink"):
			answer(200, `{"value":"http://`+r.Host+`/blob?sig=c2lnbmF0dXJl"}`)(w, r)
		default:
			answer(200, `{"id":"`+actionID+`","type":"LiveResponse","status":"Succeeded","machineId":"`+machineID+`","commands":[
				{"index":0,"commandStatus":"Completed","command":{"type":"GetFile","params":[{"key":"Path","value":"c:\\x.json"}]}},
				{"index":1,"commandStatus":"Completed","command":{"type":"RunScript","params":[{"key":"ScriptName","value":"other.ps1"}]}},
				{"index":2,"commandStatus":"Completed","command":{"type":"RunScript","params":[{"key":"Args","value":"x"},{"key":"ScriptName","value":"mine.ps1"}]}}]}`)(w, r)
		}
	})
	c, opts := s.clientOf(t), mdecore.DownloadOptions{}
	got, err := c.LiveResponseScriptResult(t.Context(), actionID, 0, opts)
	require.ErrorContains(t, err, "GetFile, whose result is not a script's")
	require.Nil(t, got)
	require.Len(t, s.received(), 1, "no link was asked for")

	got, err = c.LiveResponseScriptResult(t.Context(), actionID, 1, opts)
	require.ErrorContains(t, err, `"Mine.ps1" instead of "other.ps1"`)
	require.Contains(t, string(got.Raw), "all clean")
	require.Empty(t, got.ScriptOutput, "only the raw bytes are kept")
	require.Empty(t, got.ScriptName)

	got, err = c.LiveResponseScriptResult(t.Context(), actionID, 2, opts)
	require.NoError(t, err, "Windows does not tell upper from lower case")
	require.EqualValues(t, "all clean", got.ScriptOutput)
}
