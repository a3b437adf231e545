package tools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const scanDefinitions = "/api/DeviceAuthenticatedScanDefinitions"

const scanVault = `"auth":"AuthPriv","secret":"https://scans.vault.azure.net/secrets/snmp"`

// seededScan is the definition that the simulated tenant has.
func (o *office) seededScan() *mdecore.ScanDefinition {
	o.t.Helper()
	d, err := scanCalled(o.Reader.ListScanDefinitions(o.t.Context()), func(*mdecore.ScanDefinition) bool { return true })
	require.NoError(o.t, err)
	require.NotNil(o.t, d)
	return d
}

// newScan are the arguments of a new definition with these targets.
func (o *office) newScan(targets ...string) string {
	o.t.Helper()
	b, err := json.Marshal(targets)
	require.NoError(o.t, err)
	return fmt.Sprintf(`{"scanner":%q,"name":"core","targets":%s,"hours":24,%s,"reason":"x"}`, o.Tenant.ScanAgents()[0], b, scanVault)
}

func TestOnlyTheAddressOfAKeyVaultsSecretIsTaken(t *testing.T) {
	t.Parallel()
	vault, name, err := vaultSecret("https://Scans.vault.azure.net/secrets/snmp-1")
	require.NoError(t, err)
	require.Equal(t, "https://scans.vault.azure.net snmp-1", vault+" "+name)
	_, _, err = vaultSecret("https://scans.vault.usgovcloudapi.net/secrets/snmp")
	require.NoError(t, err)
	for _, address := range []string{
		"hunter2-public", "https://vault.azure.net/secrets/hunter2", "https://.vault.azure.net/secrets/hunter2",
		"https://hunter2.example.com/secrets/snmp", "https://a.vault.azure.net.example.com/secrets/hunter2", "https://a.b.vault.azure.net/secrets/hunter2",
		"https://a.vault.azure.net:8443/secrets/hunter2", "http://a.vault.azure.net/secrets/hunter2", "https://u:hunter2@a.vault.azure.net/secrets/snmp",
		"https://a.vault.azure.net/secrets/snmp?x=hunter2", "https://a.vault.azure.net/secrets/snmp#hunter2", "https://a.vault.azure.net/keys/hunter2",
		"https://a.vault.azure.net/secrets/", "https://a.vault.azure.net/secrets/snmp/hunter2", "https://a.vault.azure.net/secrets/hunter2%2f..", "https://a.vault.azure.net/hunter2\n",
	} {
		_, _, err := vaultSecret(address)
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "hunter2", "what was given may be the credentials")
	}
}

func TestTargetsOfAScanAreSingleDevicesOfOneKind(t *testing.T) {
	t.Parallel()
	for _, targets := range [][]string{{"10.0.0.1", "fd00::1"}, {"sw01", "core-1.contoso.com", "1st.floor"}, nil} {
		_, err := targetType(targets)
		require.NoError(t, err, targets)
	}
	for _, target := range []string{
		"10.0.0.0/24", "10.0.0.1-50", "10.0.0.1-10.0.0.50", "10.0.0.*", "10.0.0.1,10.0.0.2", "10.0.0.300", "0.0.0.0", "127.0.0.1", "::1", "224.0.0.1",
		"255.255.255.255", "fe80::1%eth0", "https://sw01", "sw01:161", "sw 01", "-sw", "sw..x", "", "ѕw01",
	} {
		_, err := targetType([]string{target})
		require.Error(t, err, target)
	}
	_, err := targetType([]string{"10.0.0.1", "sw01"})
	require.ErrorContains(t, err, "both")
	_, err = targetType([]string{"SW01", "sw01"})
	require.ErrorContains(t, err, "twice")
	_, err = targetType(strings.Fields(strings.Repeat("x ", maxScanTargets+1)))
	require.ErrorContains(t, err, "200")
}

func TestAnApproverSeesEveryTargetAndItsNetwork(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	var targets []string
	for i := range maxScanTargets - 1 {
		targets = append(targets, fmt.Sprintf("10.9.%d.%d", i/100, 1+i%100))
	}
	v, r := o.ask("set_authenticated_scan", o.newScan(append(targets, "8.8.8.8")...))
	all := strings.Join(v.Warnings, "\n")
	for _, target := range targets {
		require.Regexp(t, `[" ]`+strings.ReplaceAll(target, ".", `\.`)+`[",]`, all)
	}
	require.Contains(t, all, "200 targets (100 in 10.9.0.0/24, 99 in 10.9.1.0/24, 1 in 8.8.8.0/24)")
	require.Contains(t, all, `1 of the targets are public addresses, which may be somebody else's: "8.8.8.8"`)
	require.Contains(t, all, `secret "snmp" of Key Vault "https://scans.vault.azure.net"`)
	require.Contains(t, string(r.Plan.Steps[0].Args), "8.8.8.8", "what was shown is what is frozen")
}

func TestAChangeOfAScanNamesTheTargetsThatItKeeps(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	old := o.seededScan()
	v, _ := o.ask("set_authenticated_scan", fmt.Sprintf(`{"scanner":%q,"id":%q,%s,"reason":"x"}`, o.Tenant.ScanAgents()[1], old.ID, scanVault))
	all := strings.Join(v.Warnings, "\n")
	require.Contains(t, all, old.Target[:10], "the new credentials go to the old targets")
	require.Contains(t, all, "on each of 3 targets (3 in 10.250.0.0/24)")
	require.Contains(t, all, "by device \""+agentOf(old), "and who scanned them until now")
	v, _ = o.ask("set_authenticated_scan", fmt.Sprintf(`{"scanner":%q,"id":%q,"targets":["10.1.1.1"],"reason":"x"}`, o.Tenant.ScanAgents()[0], old.ID))
	require.Contains(t, strings.Join(v.Warnings, "\n"), "will try the credentials that the scan has now on each of 1 target")
}

func TestALostAnswerOfAChangeOfAScanIsLookedFor(t *testing.T) {
	t.Parallel()
	for kind, want := range map[mdesim.FaultKind]string{mdesim.FaultCutAfter: "succeeded", mdesim.FaultCutBefore: "unknown"} {
		o := librarian(t)
		old := o.seededScan()
		r := o.collectAsked("set_authenticated_scan", fmt.Sprintf(`{"scanner":%q,"id":%q,"hours":9,"state":"off",%s,"reason":"x"}`, o.Tenant.ScanAgents()[0], old.ID, scanVault))
		o.Tenant.Fail(mdesim.Fault{Method: http.MethodPatch, Path: scanDefinitions + "/*", Kind: kind})
		if want == "succeeded" {
			require.Equal(t, want, o.finish(r.ID).Status)
			require.Equal(t, 1, o.Tenant.Writes())
			require.EqualValues(t, 9, o.seededScan().IntervalInHours)
			continue
		}
		for range 20 {
			o.push(r.ID)
		}
		require.NotEqual(t, "succeeded", o.view(r.ID).Status)
		require.NotEqual(t, 9, int(o.seededScan().IntervalInHours), "and it is not sent again")
	}
}

func TestALostAnswerOfADeletionIsFoundByWhatIsGone(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	old := o.seededScan()
	o.refused("delete_authenticated_scans", fmt.Sprintf(`{"ids":[%q,%q],"reason":"x"}`, old.ID, strings.ToUpper(old.ID)), approvals.KindNotFound, "named twice")
	r := o.collectAsked("delete_authenticated_scans", fmt.Sprintf(`{"ids":[%q],"reason":"x"}`, old.ID))
	o.Tenant.Fail(mdesim.Fault{Path: scanDefinitions + "/BatchDelete", Kind: mdesim.FaultCutAfter})
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Equal(t, 1, o.Tenant.Writes())
	_, err := o.call("delete_authenticated_scans", fmt.Sprintf(`{"ids":[%q],"reason":"again"}`, old.ID))
	require.ErrorContains(t, err, "no scan definition")
}

func TestNoPasswordOfAScanIsEverShown(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	old := o.seededScan()
	res := o.ok("list_authenticated_scans", `{}`)
	v, r := o.ask("delete_authenticated_scans", fmt.Sprintf(`{"ids":[%q],"reason":"x"}`, old.ID))
	for what, held := range map[string]any{"rows": res.Output, "text": res.Text, "view": v, "request": r} {
		b, err := json.Marshal(held)
		require.NoError(t, err)
		require.NotContains(t, string(b), mdesim.SeededScanPassword, what)
	}
}
