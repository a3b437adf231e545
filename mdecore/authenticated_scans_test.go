package mdecore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestScansInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	ctx := t.Context()
	agents, err := gather(c.ListScanAgents(ctx))
	require.NoError(t, err)
	require.Len(t, agents, 3)
	require.Equal(t, "9.3.15.19", agents[0].ScannerSoftwareVersion)
	require.False(t, agents[0].LastCommandExecutionTimestamp.IsZero())
	for _, id := range []string{agents[1].ID, agents[1].MachineID} {
		one, err := c.GetScanAgent(ctx, id)
		require.NoError(t, err)
		require.Equal(t, agents[1], one)
	}
	_, err = c.GetScanAgent(ctx, machineID)
	require.True(t, mdecore.IsNotFound(err))

	req := newScan()
	req.ScannerAgent.MachineID = agents[0].MachineID
	made, err := c.CreateScanDefinition(ctx, req)
	require.NoError(t, err)
	require.Equal(t, agents[0].ComputerDNSName, made.ScannerAgent.MachineName)
	require.Nil(t, made.ScanAuthenticationParams)
	changed, err := c.UpdateScanDefinition(ctx, made.ID, mdecore.UpdateScanDefinitionRequest{IsActive: new(false), IntervalInHours: 9})
	require.NoError(t, err)
	require.False(t, changed.IsActive)
	require.Equal(t, mdecore.Int(9), changed.IntervalInHours)
	require.Equal(t, made.ScanName, changed.ScanName)

	all, err := gather(c.ListScanDefinitions(ctx))
	require.NoError(t, err)
	require.Len(t, all, 2)
	seeded := all[0].ID
	history, err := gather(c.GetScanHistoryByDefinition(ctx, []string{seeded, made.ID}, mdecore.Page{}))
	require.NoError(t, err)
	require.Len(t, history, 1, "the new one has not run")
	require.Equal(t, all[0].LatestScan.Status, history[0].ScanStatus)
	runs, err := gather(c.GetScanHistoryBySession(ctx, tenant.ScanSessions(seeded)))
	require.NoError(t, err)
	require.Equal(t, history[0].LastScanned, runs[len(runs)-1].LastScanned)
	require.Len(t, runs[0].ListScannedTargets, 3)

	deleted, err := c.BatchDeleteScanDefinitions(ctx, []string{made.ID, strings.ToUpper(made.ID), seeded})
	require.NoError(t, err)
	require.Len(t, deleted, 2)
	all, err = gather(c.ListScanDefinitions(ctx))
	require.NoError(t, err)
	require.Empty(t, all)
}

// gather reads a list into memory.
func gather[T any](items func(func(*T, error) bool)) (out []*T, err error) {
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

func TestScanRequestsCarryTheirSecrets(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, aDefinition))
	c := s.clientOf(t)
	_, err := c.CreateScanDefinition(t.Context(), newScan())
	require.NoError(t, err)
	auth := newScanAuth()
	_, err = c.UpdateScanDefinition(t.Context(), scanID, mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &auth})
	require.NoError(t, err)
	require.Empty(t, auth.ODataType, "the caller's value stays as it was")
	params := `{"@odata.type":"#microsoft.windowsDefenderATP.api.SnmpAuthParams","type":"AuthPriv","username":"scanner","authProtocol":"SHA1",
		"authPassword":"auth-word-1","privProtocol":"AES","privPassword":"priv-word-2"}`
	require.JSONEq(t, `{"scanType":"Network","scanName":"example","isActive":true,"target":"10.0.0.1, 10.0.0.2","intervalInHours":4,"targetType":"Ip",
		"scannerAgent":{"machineId":"`+machineID+`"},"scanAuthenticationParams":`+params+`}`, s.received()[0].body)
	require.JSONEq(t, `{"scanAuthenticationParams":`+params+`}`, s.received()[1].body)
}

// shownSecrets are the secrets of newScanAuth, and one that is special in JSON.
func shownSecrets() []string {
	return []string{"auth-word-1", "priv-word-2", `com"word`, `com\"word`, "auth-word-9", mdesim.SeededScanPassword}
}

func TestSecretsOfScansArePrintedNowhere(t *testing.T) {
	t.Parallel()
	req := newScan()
	req.ScanAuthenticationParams.CommunityString = mdecore.NewSecret(`com"word`)
	update := mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &req.ScanAuthenticationParams}
	hidden := struct{ inner any }{req}
	var said bytes.Buffer
	for _, v := range []any{req, &req, update, req.ScanAuthenticationParams, &req.ScanAuthenticationParams, req.ScanAuthenticationParams.AuthPassword, hidden} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&said, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&said, nil), slog.NewTextHandler(&said, nil)} {
		log := slog.New(h)
		log.Info("x", "req", req, "update", update, "auth", req.ScanAuthenticationParams, "one", req.ScanAuthenticationParams.AuthPassword)
	}
	for _, secret := range shownSecrets() {
		require.NotContains(t, said.String(), secret)
		require.NotContains(t, said.String(), fmt.Sprintf("%x", secret))
	}
	require.Contains(t, said.String(), "[secret]")
}

func TestErrorsOfScansHoldNoSecret(t *testing.T) {
	t.Parallel()
	req := newScan()
	req.ScanAuthenticationParams.CommunityString = mdecore.NewSecret(`com"word`)
	for name, body := range map[string]string{
		"echoed":        `{"error":{"code":"InvalidInput","message":"bad: com\"word auth-word-1, priv-word-2","target":"x"}}`,
		"other secrets": `{"error":{"code":"x","message":"authPassword"},"x":{"authPassword": "auth-word-9","communityString":"com\"word"}}`,
		"cut":           `{"value":[{"scanAuthenticationParams":{"AuthPassword":"auth-word-9`,
		"wrong type":    `{"value":[{"id":5,"scanAuthenticationParams":{"authPassword":"auth-word-9"}}],"id":5}`,
		"no text":       `{"value":[{"scanAuthenticationParams":{"authPassword":["auth-word-9"]}}],"scanAuthenticationParams":{"authPassword":["auth-word-9"]}}`,
	} {
		for _, status := range []int{200, 400} {
			s := newService(t, func(w http.ResponseWriter, r *http.Request) { answer(status, body)(w, r) })
			c := s.clientOf(t)
			_, listing := gather(c.ListScanDefinitions(t.Context()))
			_, creating := c.CreateScanDefinition(t.Context(), req)
			_, updating := c.UpdateScanDefinition(t.Context(), scanID, mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &req.ScanAuthenticationParams})
			for i, err := range []error{listing, creating, updating} {
				if err == nil {
					continue
				}
				var failed *mdecore.Error
				require.ErrorAs(t, err, &failed)
				said := fmt.Sprintf("%v %+v %s", err, err, failed.Body)
				for _, secret := range shownSecrets() {
					if name == "echoed" && i == 0 {
						continue // this call sent none
					}
					require.NotContains(t, said, secret, "%s %d", name, status)
				}
			}
		}
	}
}

func TestListedDefinitionsComeWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{}, nil)
	all, err := gather(c.ListScanDefinitions(t.Context()))
	require.NoError(t, err)
	auth := all[0].ScanAuthenticationParams
	require.Equal(t, "scanner", auth.Username)
	require.Equal(t, mdecore.ScanAuthAuthPriv, auth.Type)
	data, err := json.Marshal(all)
	require.NoError(t, err)
	require.NotContains(t, string(data), mdesim.SeededScanPassword, "the tenant has sent it")
}

func TestAnswersAboutOtherScansAreErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := func(body string) *mdecore.Client { return newService(t, answer(200, body)).clientOf(t) }
	_, err := client(`{"id":""}`).CreateScanDefinition(ctx, newScan())
	require.True(t, mdecore.Uncertain(err))
	require.ErrorContains(t, err, "no id")
	_, err = client(`{"id":"other"}`).UpdateScanDefinition(ctx, scanID, mdecore.UpdateScanDefinitionRequest{ScanName: "x"})
	require.True(t, mdecore.Uncertain(err))
	require.ErrorContains(t, err, scanID)
	for _, body := range []string{
		`{"value":[]}`, `{"value":[{"id":"other"}]}`, `{"id":"other"}`,
		`{"value":[{"machineId":"` + machineID + `"},{"machineId":"` + machineID + `"}]}`,
	} {
		_, err = client(body).GetScanAgent(ctx, machineID)
		require.ErrorContains(t, err, "scan agent", body)
	}
	agent, err := client(`{"id":"a_`+machineID+`","machineId":"`+machineID+`"}`).GetScanAgent(ctx, machineID)
	require.NoError(t, err, "alone, as its context promises")
	require.Equal(t, machineID, agent.MachineID)
}

func TestScanAuthenticationThatIsTaken(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, aDefinition))
	c := s.clientOf(t)
	for _, auth := range []mdecore.ScanAuthenticationParams{
		{Type: mdecore.ScanAuthCommunityString, CommunityString: mdecore.NewSecret("x")},
		{Type: mdecore.ScanAuthNoAuthNoPriv, Username: "x"},
		{Type: mdecore.ScanAuthAuthNoPriv, Username: "x", AuthProtocol: "MD5", AuthPassword: mdecore.NewSecret("x")},
		{Type: mdecore.ScanAuthAuthPriv, KeyVaultURL: "https://name.vault.azure.net", KeyVaultSecretName: "snmp"},
	} {
		_, err := c.UpdateScanDefinition(t.Context(), scanID, mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &auth})
		require.NoError(t, err)
	}
	for _, r := range []mdecore.UpdateScanDefinitionRequest{
		{Target: "switch, 10.0.0.1"},
		{TargetType: mdecore.ScanTargetHostname, Target: "switch1,switch2.contoso.com"},
		{TargetType: mdecore.ScanTargetIPAddress, Target: "2001:db8::1"},
		{TargetType: mdecore.ScanTargetHostname},
	} {
		_, err := c.UpdateScanDefinition(t.Context(), scanID, r)
		require.NoError(t, err)
	}
}

func TestTheBodyGoesWithEveryPageOfAListByPost(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			answer(200, `{"value":[{}],"@odata.nextLink":"`+"http://"+r.Host+r.URL.Path+`?page=2"}`)(w, r)
			return
		}
		answer(200, `{"value":[{}]}`)(w, r)
	})
	runs, err := gather(s.clientOf(t).GetScanHistoryByDefinition(t.Context(), []string{scanID}, mdecore.Page{}))
	require.NoError(t, err)
	require.Len(t, runs, 2)
	calls := s.received()
	require.Len(t, calls, 2)
	require.Equal(t, http.MethodPost, calls[1].method)
	require.NotEmpty(t, calls[0].body)
	require.Equal(t, calls[0].body, calls[1].body)
}
