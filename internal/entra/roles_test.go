package entra_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/entra"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// The ids of the simulated directory of these tests. alice, bob and rita are in every simulated tenant.
const (
	approver = "aaaaaaaa-0000-4000-8000-000000000001"
	reader   = "aaaaaaaa-0000-4000-8000-000000000002"
	alice    = "a11ce000-0000-4000-8000-000000000001"
	bob      = "b0b00000-0000-4000-8000-000000000002"
	rita     = "91740000-0000-4000-8000-000000000003"
	carol    = "ca401000-0000-4000-8000-000000000004"
	team     = "99999999-0000-4000-8000-000000000001"
	inner    = "99999999-0000-4000-8000-000000000002"
)

// town is a simulated directory, a look-up in it and a clock that the test moves.
type town struct {
	*mdesim.Tenant
	roles *entra.Roles
	mu    sync.Mutex
	now   time.Time
	asked map[string]int
}

func (w *town) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// calls is how many requests had a path with that in it.
func (w *town) calls(part string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, times := range w.asked {
		if strings.Contains(path, part) {
			n += times
		}
	}
	return n
}

func newTown(t *testing.T, permissions ...string) *town {
	t.Helper()
	w := &town{now: time.Now(), asked: map[string]int{}}
	w.Tenant = &mdesim.Tenant{
		PageSize: 2,
		Apps:     []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: permissions}},
		OnRequest: func(r *http.Request) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked[r.URL.Path]++
		},
	}
	server, err := w.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	ca, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	cred, err := azpipe.NewCredential(azpipe.CredentialConfig{
		Kind: azpipe.KindSecret, TenantID: mdesim.DefaultTenantID, ClientID: mdesim.DefaultAppID, ClientSecret: mdesim.DefaultAppSecret,
		Authority: server.URL, CAFile: ca,
	})
	require.NoError(t, err)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	w.roles, err = entra.New(entra.Options{
		Graph: server.URL + "/", Scope: "https://graph.microsoft.com/.default", Credential: cred, AppID: mdesim.DefaultAppID,
		HTTPClient: client, Clock: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
	})
	require.NoError(t, err)
	w.SetAppRoles(mdesim.DefaultAppID, mdesim.AppRole{ID: approver, Value: "Approver"}, mdesim.AppRole{ID: reader, Value: "Reader"})
	return w
}

func everything() []string {
	return []string{mdesim.RoleReadApplications, mdesim.RoleReadGroups, mdesim.RoleReadUsers}
}

func person(email string) approvals.Person { return approvals.Person{ID: email} }

func (w *town) holds(t *testing.T, email string) bool {
	t.Helper()
	ok, err := w.roles.Holds(t.Context(), "Approver", person(email))
	require.NoError(t, err)
	return ok
}

func (w *town) size(t *testing.T, role string) int {
	t.Helper()
	n, err := w.roles.RoleSize(t.Context(), role)
	require.NoError(t, err)
	return n
}

func TestWhoHoldsARole(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.SetAccount(mdesim.Account{OID: carol, UPN: "carol@contoso.onmicrosoft.com", Mail: "Carol@Contoso.com"})
	w.SetGroup(inner, rita)
	w.SetGroup(team, bob, carol, inner, "00000000-0000-4000-8000-000000000000")
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	w.AssignAppRole(mdesim.DefaultAppID, approver, team)
	w.AssignAppRole(mdesim.DefaultAppID, approver, bob) // twice: himself and by the group
	w.AssignAppRole(mdesim.DefaultAppID, approver, "cccccccc-0000-4000-8000-000000000009")
	w.AssignAppRole(mdesim.DefaultAppID, reader, rita)
	for email, want := range map[string]bool{
		"alice@contoso.com": true, "ALICE@Contoso.com ": true, "bob@contoso.com": true,
		"carol@contoso.com": true, "carol@contoso.onmicrosoft.com": true,
		"rita@contoso.com":   false, // another role, and only in a group of the group
		"nobody@contoso.com": false,
		"alice":              false, alice: false, "": false,
		"o'hara/x?y#z@contoso.com": false,
	} {
		require.Equal(t, want, w.holds(t, email), email)
	}
	require.Equal(t, 3, w.size(t, "Approver"))
	require.Equal(t, 1, w.size(t, "Reader"))
}

func TestRolesThatNobodyHolds(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.SetAppRoles(mdesim.DefaultAppID, mdesim.AppRole{ID: approver, Value: "Approver", Disabled: true},
		mdesim.AppRole{ID: reader, Value: "Reader", AppsOnly: true})
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	w.AssignAppRole(mdesim.DefaultAppID, reader, alice)
	for _, role := range []string{"Approver", "Reader", "approver", "Nothing", ""} {
		ok, err := w.roles.Holds(t.Context(), role, person("alice@contoso.com"))
		require.NoError(t, err, role)
		require.False(t, ok, role)
		require.Zero(t, w.size(t, role), role)
	}
	require.Zero(t, w.calls("/users"), "nobody is looked up for nothing")
}

func TestDisabledPeopleAndGuestsHoldNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.SetAccount(mdesim.Account{OID: carol, UPN: "carol@contoso.com", Guest: true})
	w.SetAccount(mdesim.Account{OID: bob, UPN: "bob@contoso.com", Disabled: true})
	w.SetGroup(team, bob, carol, alice)
	w.AssignAppRole(mdesim.DefaultAppID, approver, team)
	w.AssignAppRole(mdesim.DefaultAppID, approver, carol)
	require.True(t, w.holds(t, "alice@contoso.com"))
	require.False(t, w.holds(t, "bob@contoso.com"))
	require.False(t, w.holds(t, "carol@contoso.com"))
	require.Equal(t, 2, w.size(t, "Approver"), "alice, and carol who is assigned it herself and is not looked at")
}

func TestTwoUsersOfOneAddressAreNobody(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.SetAccount(mdesim.Account{OID: carol, UPN: "c1@contoso.com", Mail: "shared@contoso.com"})
	w.SetAccount(mdesim.Account{OID: inner, UPN: "c2@contoso.com", Mail: "shared@contoso.com"})
	w.AssignAppRole(mdesim.DefaultAppID, approver, carol)
	w.AssignAppRole(mdesim.DefaultAppID, approver, inner)
	require.False(t, w.holds(t, "shared@contoso.com"))
	require.True(t, w.holds(t, "c1@contoso.com"))
}

func TestLongListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	var members []string
	for i := range 7 {
		id := fmt.Sprintf("dddddddd-0000-4000-8000-%012d", i)
		w.SetAccount(mdesim.Account{OID: id, UPN: fmt.Sprintf("user%d@contoso.com", i)})
		members = append(members, id)
	}
	w.SetGroup(team, members[:5]...)
	w.AssignAppRole(mdesim.DefaultAppID, reader, bob)
	for _, id := range members[5:] {
		w.AssignAppRole(mdesim.DefaultAppID, approver, id)
	}
	w.AssignAppRole(mdesim.DefaultAppID, approver, team)
	require.Equal(t, 7, w.size(t, "Approver"))
	require.True(t, w.holds(t, "user4@contoso.com"))
	require.True(t, w.holds(t, "user6@contoso.com"))
	require.Equal(t, 2, w.calls("appRoleAssignedTo"))
	require.Equal(t, 3, w.calls("members"))
}

func TestAMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	for i, missing := range everything() {
		have := append(append([]string{}, everything()[:i]...), everything()[i+1:]...)
		w := newTown(t, have...)
		w.SetGroup(team, alice)
		w.AssignAppRole(mdesim.DefaultAppID, approver, team)
		ok, err := w.roles.Holds(t.Context(), "Approver", person("alice@contoso.com"))
		require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), missing)
		require.ErrorContains(t, err, "give this program's application the permission "+missing)
		require.False(t, ok)
		_, err = w.roles.RoleSize(t.Context(), "Approver")
		require.Equal(t, missing != mdesim.RoleReadUsers, err != nil, missing)
	}
}

func TestAnUnknownApplicationIsNamed(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.Fail(mdesim.Fault{Path: "/v1.0/servicePrincipals(appId='" + mdesim.DefaultAppID + "')", Kind: mdesim.FaultStatus, Status: 404})
	_, err := w.roles.RoleSize(t.Context(), "Approver")
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
	require.ErrorContains(t, err, "no enterprise application with the client id "+mdesim.DefaultAppID)
}

func TestWhatIsNotAnsweredIsNoYes(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1.0/servicePrincipals*", "/v1.0/servicePrincipals/*/appRoleAssignedTo", "/v1.0/groups/*/members", "/v1.0/users/*"} {
		for _, f := range []mdesim.Fault{
			{Kind: mdesim.FaultStatus, Status: 400},
			{Kind: mdesim.FaultTruncated},
			{Kind: mdesim.FaultContentType},
			{Kind: mdesim.FaultForeignLink},
			{Kind: mdesim.FaultEcho, Status: 400},
		} {
			w := newTown(t, everything()...)
			w.SetGroup(team, alice)
			w.AssignAppRole(mdesim.DefaultAppID, approver, team)
			f.Path = strings.Replace(path, "servicePrincipals*", "servicePrincipals(appId='"+mdesim.DefaultAppID+"')", 1)
			w.Fail(f)
			ok, err := w.roles.Holds(t.Context(), "Approver", person("alice@contoso.com"))
			if f.Kind == mdesim.FaultForeignLink && !strings.Contains(path, "/*/") {
				require.NoError(t, err, "no list: nothing is followed")
				continue
			}
			require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "%s %s: %v", path, f.Kind, err)
			require.False(t, ok)
			require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "eyJ", "no token")
			require.True(t, w.holds(t, "alice@contoso.com"), "a failure is not remembered")
		}
	}
}

func TestADeletedGroupHasNoMembers(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.SetGroup(team, alice)
	w.AssignAppRole(mdesim.DefaultAppID, approver, team)
	w.AssignAppRole(mdesim.DefaultAppID, approver, bob)
	w.RemoveGroup(team)
	require.False(t, w.holds(t, "alice@contoso.com"))
	require.True(t, w.holds(t, "bob@contoso.com"))
	require.Equal(t, 1, w.size(t, "Approver"))
}

func TestAnswersAreRememberedBriefly(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	for range 3 {
		require.True(t, w.holds(t, "alice@contoso.com"))
		require.Equal(t, 1, w.size(t, "Approver"))
	}
	require.Equal(t, 1, w.calls("appRoleAssignedTo"))
	require.Equal(t, 1, w.calls("/users/"))
	w.RevokeAppRole(mdesim.DefaultAppID, approver, alice)
	w.pass(30 * time.Second)
	require.False(t, w.holds(t, "alice@contoso.com"), "30 s later it counts")

	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	w.pass(30 * time.Second)
	require.True(t, w.holds(t, "alice@contoso.com"))
	w.pass(29 * time.Second)
	w.Fail(mdesim.Fault{Path: "/v1.0/servicePrincipals/**", Kind: mdesim.FaultStatus, Status: 400})
	require.True(t, w.holds(t, "alice@contoso.com"))
	w.pass(time.Second)
	_, err := w.roles.Holds(t.Context(), "Approver", person("alice@contoso.com"))
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "an old answer is no answer")
	before := w.calls("appRoleAssignedTo")
	w.pass(-time.Hour)
	require.True(t, w.holds(t, "alice@contoso.com"))
	require.Greater(t, w.calls("appRoleAssignedTo"), before, "a clock that went back is no reason to remember longer")
}

func TestSomebodyDeactivatedLosesTheirRole(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	require.True(t, w.holds(t, "alice@contoso.com"))
	w.SetAccount(mdesim.Account{OID: alice, UPN: "alice@contoso.com", Disabled: true})
	w.pass(30 * time.Second)
	require.False(t, w.holds(t, "alice@contoso.com"))
}

func TestManyWhoAskAtOnceShareOneQuestion(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	w.Fail(mdesim.Fault{Path: "/v1.0/servicePrincipals/**", Kind: mdesim.FaultSlow, Delay: 200 * time.Millisecond})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			ok, err := w.roles.Holds(t.Context(), "Approver", person("alice@contoso.com"))
			require.NoError(t, err)
			require.True(t, ok)
		})
	}
	group.Wait()
	require.LessOrEqual(t, w.calls("appRoleAssignedTo"), 2)
}

func TestAnImpatientCallerGetsNoAnswerAndOthersDo(t *testing.T) {
	t.Parallel()
	w := newTown(t, everything()...)
	w.AssignAppRole(mdesim.DefaultAppID, approver, alice)
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err := w.roles.Holds(gone, "Approver", person("alice@contoso.com"))
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
	require.True(t, w.holds(t, "alice@contoso.com"))
}

func TestNewRefusesWhatCouldNotAnswer(t *testing.T) {
	t.Parallel()
	cred, err := azpipe.NewCredential(azpipe.CredentialConfig{Kind: azpipe.KindSecret, TenantID: mdesim.DefaultTenantID, ClientID: mdesim.DefaultAppID, ClientSecret: "x"})
	require.NoError(t, err)
	good := entra.Options{Graph: "https://graph.microsoft.com", Credential: cred, AppID: mdesim.DefaultAppID}
	_, err = entra.New(good)
	require.NoError(t, err)
	for want, spoil := range map[string]func(*entra.Options){
		"it is a GUID":              func(o *entra.Options) { o.AppID = "app')/x" },
		"no address":                func(o *entra.Options) { o.Graph = "" },
		"no credential":             func(o *entra.Options) { o.Credential = nil },
		"http://graph.microsoft.co": func(o *entra.Options) { o.Graph = "http://graph.microsoft.com" },
	} {
		o := good
		spoil(&o)
		_, err := entra.New(o)
		require.ErrorContains(t, err, want)
	}
}
