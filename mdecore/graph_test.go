package mdecore_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestIncidentsInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	number := int64(4711)
	raised := tenant.RaiseAlert(mdesim.Alert{Title: "Fresh", Severity: "High", MachineID: tenant.Device("host01").ID, IncidentID: &number})

	seen := 0
	for incident, err := range c.ListIncidents(t.Context(), mdecore.IncidentsQuery{ExpandAlerts: true}) {
		require.NoError(t, err)
		require.NotEmpty(t, incident.Alerts)
		require.False(t, incident.CreatedDateTime.IsZero())
		seen++
	}
	require.Equal(t, 61, seen, "two pages")
	incident, err := c.GetIncident(t.Context(), "4711")
	require.NoError(t, err)
	require.Equal(t, mdecore.IncidentActive, incident.Status)
	require.Equal(t, mdecore.GraphSeverityHigh, incident.Severity)
	require.Equal(t, raised.ID, incident.Alerts[0].ID)
	require.Equal(t, tenant.Device("host01").ID, incident.Alerts[0].Evidence[0].MDEDeviceID)

	nobody, somebody := "", "alice@contoso.com"
	incident, err = c.UpdateIncident(t.Context(), "4711", mdecore.UpdateIncidentRequest{
		Status: mdecore.IncidentResolved, Classification: mdecore.GraphTruePositive, Determination: mdecore.GraphMalware,
		AssignedTo: &somebody, CustomTags: []string{"Demo"}, ResolvingComment: "isolated and cleaned", DisplayName: "Beacon on host01",
	})
	require.NoError(t, err)
	require.Equal(t, mdecore.IncidentResolved, incident.Status)
	require.Equal(t, mdecore.Strings{"Demo"}, incident.CustomTags)
	require.Equal(t, "isolated and cleaned", incident.ResolvingComment)
	alert, err := c.GetAlert(t.Context(), raised.ID)
	require.NoError(t, err)
	require.Equal(t, mdecore.AlertStatusResolved, alert.Status, "both APIs see the same alert")
	incident, err = c.UpdateIncident(t.Context(), "4711", mdecore.UpdateIncidentRequest{AssignedTo: &nobody, CustomTags: []string{}})
	require.NoError(t, err)
	require.Empty(t, incident.AssignedTo)
	require.Empty(t, incident.CustomTags)
	require.Equal(t, "Beacon on host01", incident.DisplayName, "what was not named keeps its value")
	_, err = c.GetIncident(t.Context(), "1")
	require.True(t, mdecore.IsNotFound(err))
	require.Len(t, tenant.Effects(), 2)
}

func TestAlertsV2InTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{PageSize: 25}
	c := simulated(t, tenant, nil)
	var first *mdecore.AlertV2
	seen := 0
	for alert, err := range c.ListAlertsV2(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		if seen++; first == nil {
			first = alert
		}
	}
	require.Equal(t, 60, seen)
	seen = 0
	for _, err := range c.ListAlertsV2(t.Context(), mdecore.Query{Filter: "severity eq 'high' and status ne 'resolved'", Page: mdecore.Page{Top: 3}}) {
		require.NoError(t, err)
		seen++
	}
	require.Equal(t, 3, seen)
	kinds := map[string]mdecore.AlertV2Evidence{}
	for _, e := range first.Evidence {
		kinds[e.Type] = e
	}
	require.Equal(t, mdecore.Int(3276), kinds["#microsoft.graph.security.processEvidence"].ProcessID)
	require.Equal(t, "rundll32.exe", kinds["#microsoft.graph.security.processEvidence"].ImageFile.FileName)
	require.Equal(t, "198.51.100.23", kinds["#microsoft.graph.security.ipEvidence"].IPAddress)
	require.Equal(t, "anna.berg", kinds["#microsoft.graph.security.userEvidence"].UserAccount.AccountName)

	changed, err := c.UpdateAlertV2(t.Context(), first.ID, mdecore.UpdateAlertV2Request{
		Status: mdecore.GraphAlertInProgress, Classification: mdecore.GraphTruePositive, Determination: mdecore.GraphCompromisedAccount,
	})
	require.NoError(t, err)
	require.Equal(t, mdecore.GraphAlertInProgress, changed.Status)
	there, err := c.GetAlert(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, mdecore.AlertStatusInProgress, there.Status)
	require.Equal(t, mdecore.DeterminationCompromisedUser, there.Determination)
	again, err := c.GetAlertV2(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, changed, again)
}

func TestGraphNeedsItsOwnRoles(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Alert.ReadWrite.All", "SecurityAlert.Read.All"}}}}
	c := simulated(t, tenant, func(*azpipe.CredentialConfig, *mdecore.Options) {})
	_, err := c.RunHuntingQuery(t.Context(), mdecore.HuntingQuery{Query: "DeviceInfo"})
	require.ErrorContains(t, err, "ThreatHunting.Read.All")
	require.True(t, mdecore.Refused(err))
	require.ErrorContains(t, drain(c.ListIncidents(t.Context(), mdecore.IncidentsQuery{})), "SecurityIncident.Read.All")
	require.NoError(t, drain(c.ListAlertsV2(t.Context(), mdecore.Query{})))
	_, err = c.UpdateAlertV2(t.Context(), alertID, mdecore.UpdateAlertV2Request{Status: mdecore.GraphAlertResolved})
	require.ErrorContains(t, err, "SecurityAlert.ReadWrite.All")
	require.Empty(t, tenant.Effects())
}

func TestGraphWire(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"id":"`+incidentID+`","value":[]}`))
	c := s.clientOf(t)
	nobody := ""
	require.NoError(t, drain(c.ListIncidents(t.Context(), mdecore.IncidentsQuery{Filter: "status eq 'active'", ExpandAlerts: true, Page: mdecore.Page{Top: 500, Skip: 7}})))
	require.NoError(t, drain(c.ListAlertsV2(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 500}})))
	_, err := c.UpdateIncident(t.Context(), incidentID, mdecore.UpdateIncidentRequest{Status: mdecore.IncidentActive, AssignedTo: &nobody, CustomTags: []string{}})
	require.NoError(t, err)
	calls := s.received()
	require.Equal(t, "%24expand=alerts&%24filter=status%20eq%20%27active%27&%24skip=7&%24top=50", calls[0].query)
	require.Equal(t, "%24top=100", calls[1].query)
	require.JSONEq(t, `{"status":"active","assignedTo":null,"customTags":[]}`, calls[2].body)
	require.Equal(t, "PATCH", calls[2].method)
	// An answer about something else must not pass for the one that was asked for.
	for _, call := range []func() error{
		func() error { _, err := c.GetIncident(t.Context(), "1"); return err },
		func() error { _, err := c.GetAlertV2(t.Context(), alertID); return err },
		func() error {
			_, err := c.UpdateIncident(t.Context(), "1", mdecore.UpdateIncidentRequest{Status: mdecore.IncidentActive})
			return err
		},
		func() error {
			_, err := c.UpdateAlertV2(t.Context(), alertID, mdecore.UpdateAlertV2Request{Status: mdecore.GraphAlertNew})
			return err
		},
	} {
		err := call()
		require.ErrorContains(t, err, "but the service answered with")
		require.True(t, mdecore.Uncertain(err))
	}
}

func TestGraphEnumsAreReadInEitherCase(t *testing.T) {
	t.Parallel()
	var incident mdecore.Incident
	require.NoError(t, json.Unmarshal([]byte(`{"status":"Active","severity":"Medium","classification":"TruePositive","determination":"MultiStagedAttack",
		"comments":[{"comment":"c","createdBy":"d","createdTime":"2021-09-30T12:07:37.2756993Z"}],"customTags":null,"alerts":[{"incidentId":28282,"status":null}]}`), &incident))
	require.Equal(t, mdecore.IncidentActive, incident.Status)
	require.Equal(t, mdecore.GraphSeverityMedium, incident.Severity)
	require.Equal(t, mdecore.GraphTruePositive, incident.Classification)
	require.Equal(t, mdecore.GraphMultiStagedAttack, incident.Determination)
	require.Equal(t, mdecore.ID("28282"), incident.Alerts[0].IncidentID)
	require.Equal(t, "d", incident.Comments[0].CreatedBy)
	require.NoError(t, json.Unmarshal([]byte(`{"status":"unknownFutureValue","severity":""}`), &incident))
	require.Equal(t, mdecore.IncidentStatus("unknownFutureValue"), incident.Status, "unknown values are kept")
	require.Empty(t, incident.Severity)
	require.Error(t, json.Unmarshal([]byte(`{"status":5}`), &incident))
}
