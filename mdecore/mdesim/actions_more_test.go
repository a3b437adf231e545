package mdesim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const fileSHA1 = "87662bc3d60e4200ceaf7aae249d1c343f4b83c9"

// act asks for an action of a device by its name.
func (r *rig) act(device, action, body string) answer {
	r.t.Helper()
	return r.send(http.MethodPost, "/api/machines/"+r.Device(device).ID+"/"+action, body)
}

func TestActionRules(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	const comment, quick = `{"Comment":"x"}`, `{"Comment":"x","ScanType":"Quick"}`
	sha := `{"Comment":"x","Sha1":"` + fileSHA1 + `"}`
	for name, tc := range map[string]struct {
		device, action, body string
		status               int
		code                 string
	}{
		"restrict":                {"host01", "restrictCodeExecution", comment, 201, ""},
		"restrict old windows 10": {"lab-1703", "restrictCodeExecution", comment, 400, "OsPlatformNotSupported"},
		"restrict linux":          {"lnx-web01", "restrictCodeExecution", comment, 400, "OsPlatformNotSupported"},
		"restrict a server":       {"srv-file01", "restrictCodeExecution", comment, 400, "OsPlatformNotSupported"},
		"restrict, no comment":    {"host02", "restrictCodeExecution", `{}`, 400, "MissingRequiredParameter"},
		"unrestrict, not held":    {"host03", "unrestrictCodeExecution", comment, 400, "BadRequest"},
		"scan":                    {"host01", "runAntiVirusScan", quick, 201, ""},
		"full scan":               {"host02", "runAntiVirusScan", `{"Comment":"x","ScanType":"Full"}`, 201, ""},
		"scan macOS":              {"design-mac01", "runAntiVirusScan", quick, 201, ""},
		"scan linux":              {"lnx-web01", "runAntiVirusScan", quick, 201, ""},
		"scan old windows 10":     {"lab-1703", "runAntiVirusScan", quick, 400, "OsPlatformNotSupported"},
		"scan, no kind":           {"host03", "runAntiVirusScan", comment, 400, "MissingRequiredParameter"},
		"scan, wrong kind":        {"host03", "runAntiVirusScan", `{"Comment":"x","ScanType":"quick"}`, 400, "InvalidInput"},
		"scan, wrong case":        {"host03", "runAntiVirusScan", `{"Comment":"x","scanType":"Quick"}`, 400, "InvalidRequestBody"},
		"scan, not onboarded":     {"byod-laptop9", "runAntiVirusScan", quick, 400, "InvalidInput"},
		"quarantine":              {"host01", "StopAndQuarantineFile", sha, 201, ""},
		"quarantine 1703":         {"lab-1703", "StopAndQuarantineFile", sha, 201, ""},
		"quarantine macOS":        {"design-mac01", "StopAndQuarantineFile", sha, 400, "OsPlatformNotSupported"},
		"quarantine, no hash":     {"host02", "StopAndQuarantineFile", comment, 400, "MissingRequiredParameter"},
		"quarantine, sha256":      {"host02", "StopAndQuarantineFile", `{"Comment":"x","Sha1":"` + strings.Repeat("a", 64) + `"}`, 400, "InvalidHashValue"},
		"quarantine, not hex":     {"host02", "StopAndQuarantineFile", `{"Comment":"x","Sha1":"` + strings.Repeat("g", 40) + `"}`, 400, "InvalidHashValue"},
		"package":                 {"host01", "collectInvestigationPackage", comment, 201, ""},
		"package macOS":           {"design-mac01", "collectInvestigationPackage", comment, 201, ""},
		"package, no comment":     {"host02", "collectInvestigationPackage", ``, 400, "MissingRequiredParameter"},
		"package, not onboarded":  {"camera-gate", "collectInvestigationPackage", comment, 400, "InvalidInput"},
		"offboard":                {"host05", "offboard", comment, 200, ""},
		"offboard server 2012 R2": {"srv-legacy01", "offboard", comment, 200, ""},
		"offboard linux":          {"lnx-web01", "offboard", comment, 400, "OsPlatformNotSupported"},
		"offboard macOS":          {"design-mac01", "offboard", comment, 400, "OsPlatformNotSupported"},
		"offboard windows 7":      {"lab-old7", "offboard", comment, 400, "OsPlatformNotSupported"},
		"offboard, no comment":    {"host06", "offboard", `{"Comment":""}`, 400, "MissingRequiredParameter"},
		"offboard, retired":       {"retired01", "offboard", comment, 400, "InvalidInput"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(r.Effects())
			a := r.act(tc.device, tc.action, tc.body)
			require.Equal(t, tc.status, a.status, string(a.raw))
			require.Equal(t, tc.code, a.code())
			require.Equal(t, tc.status < 300, len(r.Effects()) == before+1)
		})
	}
	for _, action := range []string{"restrictCodeExecution", "runAntiVirusScan", "StopAndQuarantineFile", "collectInvestigationPackage", "offboard"} {
		refused(t, r.send(http.MethodPost, "/api/machines/nobody/"+action, comment), 404, "ResourceNotFound", "nobody")
	}
}

func TestOneActionOfAKindAtATime(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	const comment = `{"Comment":"x"}`
	scan, other := `{"Comment":"x","ScanType":"Quick"}`, `{"Comment":"x","Sha1":"`+strings.Repeat("a", 40)+`"}`
	sha := `{"Comment":"x","Sha1":"` + fileSHA1 + `"}`
	require.Equal(t, 201, r.act("host01", "restrictCodeExecution", comment).status)
	require.Equal(t, 201, r.act("host01", "runAntiVirusScan", scan).status, "another kind may run beside")
	require.Equal(t, 201, r.act("host01", "StopAndQuarantineFile", sha).status)
	require.Equal(t, 201, r.act("host01", "StopAndQuarantineFile", other).status, "another file")
	require.Equal(t, 201, r.act("host01", "collectInvestigationPackage", comment).status)
	require.Equal(t, 201, r.isolate(r.Device("host01").ID).status)
	require.Equal(t, 201, r.act("host02", "runAntiVirusScan", scan).status, "another device")
	for action, body := range map[string]string{
		"restrictCodeExecution": comment, "unrestrictCodeExecution": comment, "runAntiVirusScan": scan,
		"StopAndQuarantineFile": strings.Replace(sha, fileSHA1, strings.ToUpper(fileSHA1), 1), "collectInvestigationPackage": comment,
	} {
		refused(t, r.act("host01", action, body), 400, "BadRequest", "Action is already in progress")
	}
	require.Len(t, r.Effects(), 7)
	now.Advance(time.Minute)
	require.Equal(t, 201, r.act("host01", "unrestrictCodeExecution", comment).status)
	require.True(t, r.Restricted(r.Device("host01").ID))
	now.Advance(time.Minute)
	require.False(t, r.Restricted(r.Device("host01").ID))
	require.True(t, r.Isolated(r.Device("host01").ID), "what is restricted has nothing to do with what is isolated")
}

func TestScansTakeTheirTime(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, ActionPending: -1, ActionRunning: 10 * time.Second})
	ids := []string{
		r.act("host01", "runAntiVirusScan", `{"Comment":"x","ScanType":"Quick"}`).str("id"),
		r.act("host02", "runAntiVirusScan", `{"Comment":"x","ScanType":"Full"}`).str("id"),
		r.act("host03", "collectInvestigationPackage", `{"Comment":"x"}`).str("id"),
	}
	var ends []int
	for s := range 120 {
		for i, id := range ids {
			if id != "" && r.get("/api/machineactions/"+id).str("status") == mdesim.StatusSucceeded {
				ends, ids[i] = append(ends, s), ""
			}
		}
		now.Advance(time.Second)
	}
	require.Equal(t, []int{20, 30, 100}, ends)
}

func TestAQuarantinedFileIsGoneFromItsDevice(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, FailingDevices: []string{"host02.contoso.com"}})
	body := `{"Comment":"x","Sha1":"` + strings.ToUpper(fileSHA1) + `"}`
	a := r.act("host01", "StopAndQuarantineFile", body)
	require.Equal(t, map[string]any{"fileIdentifier": fileSHA1, "fileIdentifierType": "Sha1"}, a.body["relatedFileInfo"])
	require.Nil(t, a.body["scope"])
	require.Equal(t, []any{}, a.body["commands"])
	require.Equal(t, fileSHA1, r.Effects()[0].Scope)
	require.Equal(t, 201, r.act("host02", "StopAndQuarantineFile", body).status)
	host, failing := r.Device("host01").ID, r.Device("host02").ID
	require.False(t, r.Quarantined(host, fileSHA1), "not yet")
	now.Advance(time.Minute)
	require.True(t, r.Quarantined(host, fileSHA1))
	require.False(t, r.Quarantined(failing, fileSHA1), "the action failed")
	require.False(t, r.Quarantined(host, strings.Repeat("a", 40)), "another file")
	inList := r.filter("machineactions", "type eq 'StopAndQuarantineFile' and machineId eq '"+host+"'").values()
	require.Equal(t, a.body["relatedFileInfo"], inList[0]["relatedFileInfo"])
	require.Nil(t, r.get("/api/machineactions/" + r.isolate(host).str("id")).body["relatedFileInfo"])
}

func TestAnOffboardedDeviceIsNotManaged(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, FailingDevices: []string{"host03.contoso.com"}})
	onboarding := func(name string) string { return r.get("/api/machines/" + r.Device(name).ID).str("onboardingStatus") }
	action := r.act("host02", "offboard", `{"Comment":"x"}`).str("id")
	require.Equal(t, 200, r.act("host01", "offboard", `{"Comment":"x"}`).status)
	require.Equal(t, 200, r.act("host03", "offboard", `{"Comment":"x"}`).status)
	require.Equal(t, "onboarded", onboarding("host01"), "not before it has succeeded")
	require.Equal(t, 200, r.send(http.MethodPost, "/api/machineactions/"+action+"/cancel", `{}`).status)
	now.Advance(time.Minute)
	require.Equal(t, "CanBeOnboarded", onboarding("host01"))
	require.Equal(t, "Inactive", r.Device("host01").HealthStatus)
	require.Equal(t, []string{"host01.contoso.com"}, r.filter("machines", "computerDnsName eq 'host01.contoso.com' and onboardingStatus eq 'CanBeOnboarded'").names())
	require.Equal(t, "onboarded", onboarding("host02"), "cancelled")
	require.Equal(t, "onboarded", onboarding("host03"), "failed")
	refused(t, r.isolate(r.Device("host01").ID), 400, "InvalidInput", "not onboarded")
	require.True(t, r.UpdateDevice(r.Device("host01").ID, func(m *mdesim.Machine) { m.OnboardingStatus = "onboarded" }))
	require.Equal(t, "onboarded", onboarding("host01"), "it is offboarded once, and not again and again")
}

func TestACancellationNeedsTheRoleOfItsAction(t *testing.T) {
	t.Parallel()
	names := map[string]string{
		"isolate": "Machine.Isolate", "restrictCodeExecution": "Machine.RestrictExecution", "runAntiVirusScan": "Machine.Scan",
		"StopAndQuarantineFile": "Machine.StopAndQuarantine", "collectInvestigationPackage": "Machine.CollectForensics", "offboard": "Machine.Offboard",
	}
	bodies := map[string]string{"runAntiVirusScan": `{"Comment":"x","ScanType":"Full"}`, "StopAndQuarantineFile": `{"Comment":"x","Sha1":"` + fileSHA1 + `"}`}
	all := &mdesim.Tenant{ActionPending: time.Hour}
	all.Apps = []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: mdesim.WriterRoles()}}
	for _, role := range names {
		all.Apps = append(all.Apps, mdesim.App{ID: "only " + role, Secret: "s", Roles: []string{role}})
	}
	r := serve(t, all)
	tokens := map[string]string{"": r.token}
	for _, role := range names {
		tokens[role] = tokenOf(t, r.server.AppCredential("only "+role, "s"))
	}
	for action, needed := range names {
		r.token = tokens[""]
		a := r.act("host01", action, map[bool]string{true: bodies[action], false: `{"Comment":"x"}`}[bodies[action] != ""])
		require.Less(t, a.status, 300, string(a.raw))
		for _, role := range names {
			if role != needed {
				r.token = tokens[role]
				refused(t, r.send(http.MethodPost, "/api/machineactions/"+a.str("id")+"/cancel", `{}`), 403, "Forbidden", needed)
			}
		}
		r.token = tokens[needed]
		require.Equal(t, 200, r.send(http.MethodPost, "/api/machineactions/"+a.str("id")+"/cancel", `{}`).status, action)
	}
	require.Len(t, r.Effects(), 12)
}
