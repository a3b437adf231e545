package mdecore_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestActionsSendTheDocumentedBodies(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, `{"id":"`+actionID+`","status":"Pending","machineId":"`+machineID+`"}`))
	c, ctx := s.clientOf(t), t.Context()
	for _, err := range []error{
		second(c.RestrictCodeExecution(ctx, machineID, mdecore.RestrictRequest{Comment: "a"})),
		second(c.UnrestrictCodeExecution(ctx, machineID, mdecore.UnrestrictRequest{Comment: "b"})),
		second(c.RunAntiVirusScan(ctx, machineID, mdecore.ScanRequest{Comment: "c", ScanType: mdecore.ScanFull})),
		second(c.StopAndQuarantineFile(ctx, machineID, mdecore.QuarantineRequest{Comment: "d", SHA1: fileSHA1})),
		second(c.CollectInvestigationPackage(ctx, machineID, mdecore.PackageRequest{Comment: "e"})),
		second(c.OffboardMachine(ctx, machineID, mdecore.OffboardRequest{Comment: "f"})),
	} {
		require.NoError(t, err)
	}
	for i, want := range []string{
		`restrictCodeExecution {"Comment":"a"}`, `unrestrictCodeExecution {"Comment":"b"}`, `runAntiVirusScan {"Comment":"c","ScanType":"Full"}`,
		`StopAndQuarantineFile {"Comment":"d","Sha1":"` + fileSHA1 + `"}`, `collectInvestigationPackage {"Comment":"e"}`, `offboard {"Comment":"f"}`,
	} {
		got := s.received()[i]
		require.Equal(t, "/api/machines/"+machineID+"/"+want, got.path+" "+got.body)
	}
}

func second(_ *mdecore.MachineAction, err error) error { return err }

func TestActionsOnASimulatedMachine(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: 5 * time.Millisecond}
	c := simulated(t, tenant, nil)
	id, ctx := tenant.Device("host01").ID, t.Context()
	done := func(a *mdecore.MachineAction, err error) *mdecore.MachineAction {
		require.NoError(t, err)
		a, err = c.WaitMachineAction(ctx, a.ID, mdecore.WaitOptions{Interval: 2 * time.Millisecond})
		require.NoError(t, err)
		require.Equal(t, mdecore.ActionSucceeded, a.Status)
		return a
	}
	a := done(c.RestrictCodeExecution(ctx, id, mdecore.RestrictRequest{Comment: "w"}))
	require.Equal(t, mdecore.ActionRestrictCodeExecution, a.Type)
	require.True(t, tenant.Restricted(id))
	done(c.UnrestrictCodeExecution(ctx, id, mdecore.UnrestrictRequest{Comment: "w"}))
	require.False(t, tenant.Restricted(id))
	a = done(c.RunAntiVirusScan(ctx, id, mdecore.ScanRequest{Comment: "w", ScanType: mdecore.ScanQuick}))
	require.Equal(t, "Quick", a.Scope)
	a = done(c.StopAndQuarantineFile(ctx, id, mdecore.QuarantineRequest{Comment: "w", SHA1: strings.ToUpper(fileSHA1)}))
	require.Equal(t, &mdecore.RelatedFileInfo{FileIdentifier: fileSHA1, FileIdentifierType: "Sha1"}, a.RelatedFileInfo)
	require.True(t, tenant.Quarantined(id, fileSHA1))
	done(c.CollectInvestigationPackage(ctx, id, mdecore.PackageRequest{Comment: "w"}))
	done(c.OffboardMachine(ctx, id, mdecore.OffboardRequest{Comment: "w"}))
	m, err := c.GetMachine(ctx, id)
	require.NoError(t, err)
	require.False(t, m.Onboarded())
	_, err = c.RunAntiVirusScan(ctx, id, mdecore.ScanRequest{Comment: "w", ScanType: mdecore.ScanQuick})
	require.True(t, mdecore.Refused(err), "nothing can be asked of it any more")
	types := map[mdecore.ActionType]int{}
	for a, err := range c.ListMachineActions(ctx, mdecore.Query{Filter: mdecore.Filter("machineId eq '" + id + "'")}) {
		require.NoError(t, err)
		require.Equal(t, a.Type == mdecore.ActionStopAndQuarantineFile, a.RelatedFileInfo != nil)
		require.False(t, a.LastUpdateDateTimeUTC.IsZero())
		types[a.Type]++
	}
	require.Len(t, types, 6)
}

// A quarantine of another file than the one that was approved must not pass for it.
func TestAnswersForAnotherFileAreRefused(t *testing.T) {
	t.Parallel()
	for body, bad := range map[string]bool{
		`{"id":"x","relatedFileInfo":null}`:                                                         false,
		`{"id":"x","relatedFileInfo":{"fileIdentifier":"` + strings.ToUpper(fileSHA1) + `"}}`:       false,
		`{"id":"x","relatedFileInfo":{"fileIdentifier":"` + strings.Repeat("0", 40) + `"}}`:         true,
		`{"id":"x","machineId":"` + strings.Repeat("0", 40) + `","relatedFileInfo":null}`:           true,
		`{"relatedFileInfo":{"fileIdentifier":"` + fileSHA1 + `"},"machineId":"` + machineID + `"}`: true,
	} {
		s := newService(t, answer(201, body))
		a, err := s.clientOf(t).StopAndQuarantineFile(t.Context(), machineID, mdecore.QuarantineRequest{Comment: "w", SHA1: fileSHA1})
		require.Equal(t, bad, mdecore.Uncertain(err), body)
		require.Equal(t, bad, a == nil)
	}
}

func TestEitherStatusOfAnOffboardingIsASuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusCreated} {
		s := newService(t, answer(status, `{"id":"`+actionID+`"}`))
		_, err := s.clientOf(t).OffboardMachine(t.Context(), machineID, mdecore.OffboardRequest{Comment: "w"})
		require.NoError(t, err, "the page says 200 where its siblings say 201")
	}
}

func TestMachineActionKeepsWhatTheServiceSays(t *testing.T) {
	t.Parallel()
	var a mdecore.MachineAction
	require.NoError(t, json.Unmarshal([]byte(`{"id":"x","type":"Contain","status":"Queued","scope":null,"title":null,"relatedFileInfo":null,"commands":null,
		"lastUpdateTimeUtc":"2026-01-02T03:04:05.1234567Z","creationDateTimeUtc":null,"errorHResult":-2147024891,"new":{"x":1}}`), &a))
	require.Equal(t, mdecore.ActionType("Contain"), a.Type)
	require.False(t, a.Status.Terminal(), "an unknown status is not an end")
	require.Equal(t, "2026-01-02T03:04:05Z", a.LastUpdateDateTimeUTC.Format(time.RFC3339))
	require.Equal(t, mdecore.Int(-2147024891), a.ErrorHResult)
	require.Nil(t, a.RelatedFileInfo)
}

func TestTheRoleForACancellationIsNamed(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Apps: []mdesim.App{
		{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Machine.Scan", "Machine.Isolate"}},
		{ID: mdesim.DefaultReaderID, Secret: mdesim.DefaultReaderSecret, Roles: []string{"Machine.Scan"}},
	}}
	c := simulated(t, tenant, nil)
	scanner := simulated(t, tenant, func(cfg *azpipe.CredentialConfig, _ *mdecore.Options) {
		cfg.ClientID, cfg.ClientSecret = mdesim.DefaultReaderID, mdesim.DefaultReaderSecret
	})
	a, err := c.IsolateMachine(t.Context(), tenant.Device("host01").ID, mdecore.IsolateRequest{Comment: "w", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err)
	_, err = scanner.CancelMachineAction(t.Context(), a.ID, mdecore.CancelRequest{})
	require.True(t, mdecore.Refused(err))
	require.ErrorContains(t, err, "Machine.Isolate")
	_, err = c.CancelMachineAction(t.Context(), a.ID, mdecore.CancelRequest{Comment: "wrong one"})
	require.NoError(t, err)
	require.Len(t, tenant.Effects(), 2)
}
