package mdecore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestTimeForms(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, expect := range map[string]time.Time{
		"2026-01-02T03:04:05Z":          want,
		"2026-01-02T03:04:05.1234567Z":  want.Add(123456700),
		"2026-01-02T03:04:05.1Z":        want.Add(100 * time.Millisecond),
		"2026-01-02T05:04:05+02:00":     want,
		"2026-01-02T03:04:05":           want,
		"2026-01-02T03:04:05.1234567":   want.Add(123456700),
		"2026-01-02 03:04:05":           want,
		"2026-01-02 03:04:05.123":       want.Add(123 * time.Millisecond),
		"2026-01-02 03:04:05Z":          want,
		"2026-01-02Z":                   time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		"2026-01-02":                    time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		" 2026-01-02T03:04:05Z ":        want,
		"2026-01-02T03:04:05.12345678Z": want.Add(123456780),
	} {
		got, err := ParseTime(text)
		require.NoError(t, err, text)
		require.True(t, expect.Equal(got), "%s: %s", text, got)
		require.Equal(t, time.UTC, got.Location())
	}
	for _, bad := range []string{"", "soon", "2026-13-01", "03:04", "2026-01-02T25:00:00Z", "1767322800"} {
		_, err := ParseTime(bad)
		require.Error(t, err, bad)
	}
}

func TestTimeJSON(t *testing.T) {
	var times []Time
	require.NoError(t, json.Unmarshal([]byte(`["2026-01-02T03:04:05.5Z", null, ""]`), &times))
	require.True(t, times[1].IsZero() && times[2].IsZero())
	back, err := json.Marshal(times)
	require.NoError(t, err)
	require.JSONEq(t, `["2026-01-02T03:04:05.5Z", null, null]`, string(back))
	for _, bad := range []string{`5`, `"x"`, `{}`, `true`} {
		require.Error(t, json.Unmarshal([]byte(bad), new(Time)), bad)
	}
}

func TestTolerantValues(t *testing.T) {
	decode := func(text string, into any) { require.NoError(t, json.Unmarshal([]byte(text), into), text) }
	var m Machine
	decode(`{"rbacGroupId":140,"osBuild":"18209","machineTags":null,"lastSeen":null,"riskScore":null,"healthStatus":"New State","onboardingStatus":"onboarded"}`, &m)
	require.Equal(t, ID("140"), m.RbacGroupID)
	require.EqualValues(t, 18209, m.OSBuild)
	require.Equal(t, HealthStatus("New State"), m.HealthStatus, "unknown enum values are kept")
	require.True(t, m.Onboarded())
	decode(`{"rbacGroupId":"g-1","onboardingStatus":"CanBeOnboarded"}`, &m)
	require.Equal(t, ID("g-1"), m.RbacGroupID)
	require.False(t, m.Onboarded())
	require.False(t, new(Machine).Onboarded(), "no answer means no")

	var a Alert
	decode(`{"mitreTechniques":["T1","T2"],"relatedUser":{"userName":"u","domainName":"D"},"incidentId":1126093,"investigationId":null}`, &a)
	require.Equal(t, Strings{"T1", "T2"}, a.MitreTechniques)
	require.Equal(t, &RelatedUser{UserName: "u", DomainName: "D"}, a.RelatedUser)
	require.EqualValues(t, 1126093, a.IncidentID)
	a = Alert{}
	decode(`{"mitreTechniques":"T1, T2","relatedUser":"D\\u"}`, &a)
	require.Equal(t, Strings{"T1", "T2"}, a.MitreTechniques)
	require.Equal(t, &RelatedUser{UserName: "u", DomainName: "D"}, a.RelatedUser)
	a = Alert{}
	decode(`{"mitreTechniques":null,"relatedUser":null,"comments":null,"title":"\u202eevil <b>"}`, &a)
	require.Nil(t, a.RelatedUser)
	require.Empty(t, a.MitreTechniques)
	require.Equal(t, "\u202eevil <b>", a.Title, "a client does not change what it was told")

	var action MachineAction
	decode(`{"id":"x","lastUpdateTimeUtc":"2026-01-02T03:04:05Z","commands":[{"index":0,"command":{"type":"GetFile","params":[{"key":"Path","value":"p"}]}}]}`, &action)
	require.Equal(t, 2026, action.LastUpdateDateTimeUTC.Year())
	require.Equal(t, "p", action.Commands[0].Command.Params[0].Value)
	decode(`{"id":"y","lastUpdateDateTimeUtc":"2025-01-02T03:04:05Z","lastUpdateTimeUtc":null}`, &action)
	require.Equal(t, 2025, action.LastUpdateDateTimeUTC.Year())

	for _, bad := range []string{`{"osBuild":"x"}`, `{"osBuild":{}}`, `{"rbacGroupId":[]}`, `{"osBuild":1.5}`} {
		require.Error(t, json.Unmarshal([]byte(bad), new(Machine)), bad)
	}
	require.Error(t, json.Unmarshal([]byte(`{"relatedUser":5}`), new(Alert)))
	require.Error(t, json.Unmarshal([]byte(`{"commands":5}`), new(MachineAction)))
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"", "2026-01-02T03:04:05.1234567Z", "2026-01-02", "0000-00-00", "2026-01-02 03:04:05", "9999-12-31T23:59:59-23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text)
		if err != nil {
			require.Less(t, len(err.Error()), 600)
			return
		}
		if got.Year() < 0 || got.Year() > 9999 {
			return // beyond what JSON can hold; UTC conversion can step over the edge
		}
		data, err := json.Marshal(Time{got})
		require.NoError(t, err)
		var back Time
		require.NoError(t, json.Unmarshal(data, &back))
		require.True(t, got.Equal(back.Time))
	})
}

func FuzzODataString(f *testing.F) {
	for _, s := range []string{"", "'", "''", "a' or 1 eq 1 or 'b", "O'Brien", "\x00", "é'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := odataString(s)
		require.True(t, len(quoted) >= 2 && quoted[0] == '\'' && quoted[len(quoted)-1] == '\'')
		inner := quoted[1 : len(quoted)-1]
		require.NotContains(t, strings.ReplaceAll(inner, "''", ""), "'", "nothing may end the literal early")
		require.Equal(t, s, strings.ReplaceAll(inner, "''", "'"))
	})
}

func FuzzCheckID(f *testing.F) {
	for _, s := range []string{"", "..", "a/b", "%2f", "5382f7ea-7557-4ab7-9782-d50480024a4e", "da637472900382838869_1364969609", "a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if checkID("id", id) != nil {
			return
		}
		require.NotEmpty(t, id)
		require.NotContains(t, id, "..")
		require.NotEqual(t, ".", id)
		require.False(t, strings.ContainsAny(id, "/\\%'\"?#;&=+ ()"), id)
		require.False(t, strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) || r > unicode.MaxASCII }))
	})
}
