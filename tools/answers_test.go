package tools

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// The tests here answer as the simulated tenant never does: what Defender says is not believed without a look.

const (
	oneID    = "abababababababababababababababababababab"
	otherID  = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	oneGUID  = "11111111-2222-3333-4444-555555555555"
	noGUID   = "99999999-9999-9999-9999-999999999999"
	oneOther = "22222222-2222-2222-2222-222222222222"
)

// anyToken signs in to a service that doesn't look at tokens.
type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// answering is a client of a service that answers as told.
func answering(t testing.TB, h http.HandlerFunc) *mdecore.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := mdecore.New(anyToken{}, mdecore.Options{Cloud: mdecore.Custom(srv.URL, srv.URL, "s/.default")})
	require.NoError(t, err)
	return c
}

func reading(c *mdecore.Client) *session {
	return &session{house: &house{reader: c, clock: time.Now, maxDevices: 100}}
}

func machine(id, name, aad string) string {
	return fmt.Sprintf(`{"id":%q,"computerDnsName":%q,"aadDeviceId":%q,"onboardingStatus":"Onboarded","healthStatus":"Active"}`, id, name, aad)
}

func machines(all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"value":[%s]}`, strings.Join(all, ","))
	}
}

func TestADeviceOfAnotherEntraIDIsNotTaken(t *testing.T) {
	t.Parallel()
	s := reading(answering(t, machines(machine(oneID, "dc01", noGUID))))
	_, err := s.resolve(t.Context(), []string{oneGUID})
	require.Equal(t, approvals.KindNotFound, approvals.KindOf(err), "%v", err)

	s = reading(answering(t, machines(machine(oneID, "dc01", strings.ToUpper(oneGUID)))))
	found, err := s.resolve(t.Context(), []string{oneGUID})
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// One device must not become two steps because the service writes its id in two ways.
func TestOneDeviceInTwoSpellingsIsOneTarget(t *testing.T) {
	t.Parallel()
	s := reading(answering(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/machines") {
			machines(machine(strings.ToUpper(oneID), "host01", ""), machine(oneID, "host01", ""))(w, r)
			return
		}
		fmt.Fprint(w, machine(strings.ToUpper(oneID), "host01", ""))
	}))
	for _, refs := range [][]string{{"host01"}, {oneID, "host01"}, {"host01", strings.ToUpper(oneID)}} {
		found, err := s.resolve(t.Context(), refs)
		require.NoError(t, err, refs)
		require.Len(t, found, 1, refs)
		require.Equal(t, oneID, found[0].ID, "ids are in lower case from here on")
	}
}

func TestTheRootsDotHidesNoCandidate(t *testing.T) {
	t.Parallel()
	s := reading(answering(t, machines(machine(oneID, "host01.contoso.com", ""), machine(otherID, "host01.contoso.com.", ""))))
	for _, name := range []string{"host01.contoso.com", "host01.contoso.com.", "host01"} {
		_, err := s.resolve(t.Context(), []string{name})
		require.ErrorContains(t, err, "ambiguous", name)
	}
}

// Recovery takes "not found" for "was never sent": half a list must not look like a whole one.
func TestHalfAListIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"an empty first page": "", "a first page with others": machine(otherID, "host01", oneGUID),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.RawQuery, "page2") {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				fmt.Fprintf(w, `{"value":[%s],"@odata.nextLink":"http://%s%s?page2"}`, page, r.Host, r.URL.Path)
			})
			task := worker.Task{Tag: approvals.Tag("ABCDEFGH", 0), Step: approvals.Step{Target: oneID}}
			_, _, err := findDeviceAction(mdecore.ActionIsolate)(t.Context(), hands{reader: c}, task, time.Now())
			require.ErrorContains(t, err, "incomplete")
			_, err = reading(c).actionsOf(t.Context(), []*mdecore.Machine{{ID: oneID}})
			require.ErrorContains(t, err, "incomplete", "an open action would be overlooked")
			for _, ref := range []string{"host01", oneGUID, "10.1.0.5"} {
				_, err = reading(c).resolve(t.Context(), []string{ref})
				require.ErrorContains(t, err, "incomplete", "%s: a second candidate would be overlooked", ref)
				require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(refusal(err)))
			}
			_, _, err = readDevices(t.Context(), reading(c), findDevicesIn{listing: listing{Limit: 50}})
			require.ErrorContains(t, err, "incomplete")
			_, _, err = readAlerts(t.Context(), reading(c), listAlertsIn{Since: "1d", listing: listing{Limit: 50}})
			require.ErrorContains(t, err, "incomplete")
		})
	}
}

// The API answers 404 where there is nothing to list.
func TestNothingToListIsNoError(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	_, found, err := findDeviceAction(mdecore.ActionIsolate)(t.Context(), hands{reader: c}, worker.Task{Step: approvals.Step{Target: oneID}}, time.Now())
	require.NoError(t, err)
	require.False(t, found)
	_, err = reading(c).resolve(t.Context(), []string{"host01"})
	require.Equal(t, approvals.KindNotFound, approvals.KindOf(err), "%v", err)
}

func TestAnotherActionsEndIsNotBelieved(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"id":%q,"type":"Offboard","machineId":%q,"status":"Succeeded"}`, oneOther, otherID)
	})
	_, err := followDeviceAction(t.Context(), hands{reader: c}, worker.Task{}, oneGUID)
	require.ErrorContains(t, err, oneOther)
	_, err = followCancellation(t.Context(), hands{reader: c}, worker.Task{}, oneGUID)
	require.ErrorContains(t, err, oneOther)
	_, _, err = findCancellation(t.Context(), hands{reader: c}, worker.Task{Step: approvals.Step{Target: oneGUID}}, time.Now())
	require.ErrorContains(t, err, oneOther)
	_, err = receipt(c.CancelMachineAction(t.Context(), oneGUID, mdecore.CancelRequest{Comment: "x"}))
	var refused *worker.Refused
	var notSent *worker.NotSent
	require.ErrorContains(t, err, oneOther)
	require.False(t, errorAs(err, &refused) || errorAs(err, &notSent), "what happened is not known")
}
