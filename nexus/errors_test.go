package nexus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/nexus"
)

// every is each method that calls Azure.
func every(t *testing.T) map[string]func(context.Context, *nexus.Client) error {
	all := reads(t)
	for name, w := range writes(t) {
		all[name] = func(ctx context.Context, c *nexus.Client) error {
			_, err := w.do(ctx, c)
			return err
		}
	}
	return all
}

func TestEveryRefusalIsExplained(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault                          http.HandlerFunc
		status                         int
		says                           string
		notSent, refused, not, changed bool
	}{
		{armError(400, "BadRequest", "bad thing"), 400, "400 BadRequest: bad thing", false, true, false, false},
		{armError(401, "ExpiredAuthenticationToken", "x"), 401, "the token was refused, also a fresh one", true, false, false, false},
		{armError(403, "AuthorizationFailed", "x"), 403, "the application lacks the permission Microsoft.NetworkCloud/", false, true, false, false},
		{armError(404, "ResourceNotFound", "x"), 404, "404 ResourceNotFound: the", false, true, true, false},
		{armError(409, "Conflict", "busy"), 409, "something else is under way there; wait until it has ended (busy)", false, true, false, false},
		{armError(409, "MissingSubscriptionRegistration", "x"), 409, "has to register it (az provider register --namespace Microsoft.NetworkCloud); this program never does", false, true, false, false},
		{armError(412, "PreconditionFailed", "x"), 412, "it was changed by somebody since it was read, and nothing was done", false, true, false, true},
		{answer(418, "not json"), 418, "i'm a teapot", false, true, false, false},
		{answer(302, "", "Location", "https://evil.example/"), 302, "a redirect was refused", false, false, false, false},
		{answer(429, `{"error":{}}`, "Retry-After", "3600"), 429, "too many calls (try again in 1h0m0s)", true, false, false, false},
	} {
		for name, do := range every(t) {
			t.Run(fmt.Sprint(test.status, " ", name), func(t *testing.T) {
				t.Parallel()
				s := newService(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("x-ms-correlation-request-id", correlation)
					test.fault(w, r)
				})
				err := do(t.Context(), s.client(t))
				if test.status != 404 {
					require.ErrorContains(t, err, test.says)
				}
				require.ErrorContains(t, err, "[correlation "+correlation+"]")
				var failed *nexus.Error
				require.ErrorAs(t, err, &failed)
				require.Equal(t, name, failed.Op)
				require.Equal(t, test.status, failed.Status)
				require.Equal(t, correlation, failed.CorrelationID)
				require.Equal(t, s.received()[0].header.Get("x-ms-client-request-id"), failed.RequestID)
				require.NotEmpty(t, failed.RequestID)
				require.Equal(t, []bool{test.notSent, test.refused, test.not, test.changed},
					[]bool{nexus.NotSent(err), nexus.Refused(err), nexus.IsNotFound(err), nexus.Changed(err)})
				sends := 1
				if test.status == 401 {
					sends = 2 // once more with a new token
				}
				require.Len(t, s.received(), sends, "nothing is registered, and nothing is followed")
			})
		}
	}
}

func TestWhatIsNotFoundIsNamed(t *testing.T) {
	t.Parallel()
	says := map[string]string{
		"ListClusters":        "there is no subscription " + subscription + " that this application may see",
		"GetCluster":          "there is no cluster site in resource group rg of subscription " + subscription,
		"ListNodes":           "the managed resource group site-managed of cluster site",
		"OperationStatus":     "the operation is no longer known",
		"DownloadResult":      "the operation is no longer known",
		"SetEnforcementLevel": "there is no cluster site in resource group rg",
		"ScanRuntime":         "there is no cluster site in resource group rg",
		"StartReport":         "there is no node rack1control01 in resource group site-managed",
	}
	s := newService(t, armError(404, "ResourceNotFound", "x"))
	for name, do := range every(t) {
		require.ErrorContains(t, do(t.Context(), s.client(t)), says[name], name)
	}
	_, err := collect(s.client(t).ListClusters(t.Context(), subscription, "group"))
	require.ErrorContains(t, err, "there is no resource group group in subscription")
}

func TestAMissingPermissionIsNamedWithTheSmallestRole(t *testing.T) {
	t.Parallel()
	level := map[string]string{
		"ListClusters": "read", "GetCluster": "read", "ListNodes": "read", "OperationStatus": "read", "DownloadResult": "read",
		"ScanRuntime": "operate", "StartReport": "operate", "SetEnforcementLevel": "admin",
	}
	silent := newService(t, answer(403, ""))
	for name, do := range every(t) {
		err := do(t.Context(), silent.client(t))
		require.ErrorContains(t, err, fmt.Sprintf("the custom role of docs/nexus.md has it, at its level %q", level[name]), name)
		var failed *nexus.Error
		require.ErrorAs(t, err, &failed)
		require.Empty(t, failed.Action, "Azure did not say")
	}
	for _, test := range []struct{ message, action, scope, says string }{
		{
			"The client 'me' with object id 'me' does not have authorization to perform action 'Microsoft.NetworkCloud/clusters/scanRuntime/action' over scope '/subscriptions/1/resourceGroups/rg' or the scope is invalid.",
			"Microsoft.NetworkCloud/clusters/scanRuntime/action", "/subscriptions/1/resourceGroups/rg",
			"ScanRuntime: Azure answered 403 AuthorizationFailed: the application lacks the permission Microsoft.NetworkCloud/clusters/scanRuntime/action on /subscriptions/1/resourceGroups/rg: the custom role of docs/nexus.md has it, at its level \"operate\"",
		},
		{
			"The client 'me' has permission to perform action 'Microsoft.NetworkCloud/clusters/write' on scope '/a'; however, it does not have permission to perform action(s) 'Microsoft.ExtendedLocation/customLocations/deploy/action' on the linked scope(s) '/subscriptions/2/x' (respectively).",
			"Microsoft.ExtendedLocation/customLocations/deploy/action", "/subscriptions/2/x",
			"on /subscriptions/2/x: the custom role of docs/nexus.md does not have it, so that the owner of that resource has to grant it",
		},
		{"does not have authorization to perform action 'drop all' over scope '/x'", "", "", "the application lacks the permission Microsoft.NetworkCloud/clusters/scanRuntime/action:"},
	} {
		s := newService(t, armError(403, "AuthorizationFailed", test.message))
		_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t))
		require.ErrorContains(t, err, test.says)
		require.Equal(t, test.action == "", strings.Contains(err.Error(), test.message), "what the service says is not said twice")
		var failed *nexus.Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, []string{test.action, test.scope}, []string{failed.Action, failed.Scope})
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer tokena@https://management.core.windows.net//.default" {
			answer(401, "", "WWW-Authenticate", `Bearer error="invalid_token"`)(w, r)
			return
		}
		answer(202, "", "Location", s.URL+operation)(w, r)
	})
	_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t))
	require.NoError(t, err)
	require.Len(t, s.received(), 2)
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, read := range reads(t) {
		s := newService(t, answer(503, ""))
		require.Error(t, read(t.Context(), s.client(t)), name)
		require.Len(t, s.received(), 4, name)
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, "{}"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range every(t) {
		require.ErrorIs(t, do(ctx, s.client(t)), context.Canceled, name)
	}
	require.Empty(t, s.received())
}

func TestAReadGivesUpInItsTime(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, *http.Request) { <-gone })
	defer close(gone)
	c := s.client(t, func(o *nexus.Options) { o.ReadTimeout = 50 * time.Millisecond })
	for name, read := range reads(t) {
		require.ErrorIs(t, read(t.Context(), c), context.DeadlineExceeded, name)
	}
}

func TestOtherErrorsAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("x"), io.EOF} {
		require.False(t, nexus.NotSent(err) || nexus.Refused(err) || nexus.Changed(err) || nexus.IsNotFound(err))
		require.Zero(t, nexus.RetryAfter(err))
	}
	for _, status := range []int{200, 302, 401, 408, 429, 499, 500} {
		require.False(t, nexus.Refused(&nexus.Error{Status: status}), status)
	}
	require.True(t, nexus.Refused(fmt.Errorf("around: %w", &nexus.Error{Status: 400})))
}

func TestCallsAreLoggedWithoutSecrets(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s := stored(t, bySAS, answer(200, content))
	c := s.client(t, func(o *nexus.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := c.DownloadResult(t.Context(), operation+"&s=SIGNATURE", "", io.Discard)
	require.NoError(t, err)
	_, err = c.GetCluster(t.Context(), parseID(t, clusterPath))
	require.Error(t, err)
	for _, text := range []string{"op=DownloadResult", `endpoint="GET /{container}/{blob}"`, "operationStatuses/{operationId}", "op=GetCluster", "status=200", "request_id="} {
		require.Contains(t, logged.String(), text)
	}
	for _, secret := range []string{"SECRET", "SIGNATURE", "token", content} {
		require.NotContains(t, logged.String(), secret)
	}
}

// Whoever measures is told of calls by their documented routes, without the ids in them.
func TestCallsAreWatched(t *testing.T) {
	t.Parallel()
	var told []string
	s := stored(t, plain, answer(200, content))
	c := s.client(t, func(o *nexus.Options) {
		o.Watch = func(ctx context.Context, b azpipe.Begun) (context.Context, func(azpipe.Ended)) {
			return ctx, func(e azpipe.Ended) { told = append(told, fmt.Sprint(b.Endpoint, " ", e.Status)) }
		}
	})
	_, err := c.DownloadResult(t.Context(), operation, s.URL+"/command-output", io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{
		"GET /subscriptions/{subscriptionId}/providers/Microsoft.NetworkCloud/locations/{location}/operationStatuses/{operationId} 200",
		"GET /{container}/{blob} 200",
	}, told)
}

func TestAClientIsNotMadeOfFaultyOptions(t *testing.T) {
	t.Parallel()
	cloud := func(change func(*nexus.Cloud)) nexus.Options {
		c := nexus.Public()
		change(&c)
		return nexus.Options{Cloud: c}
	}
	for says, o := range map[string]nexus.Options{
		"over https only":            cloud(func(c *nexus.Cloud) { c.Endpoint = "http://management.azure.com" }),
		"must end with the host":     cloud(func(c *nexus.Cloud) { c.Endpoint += "/x" }),
		"has no host":                cloud(func(c *nexus.Cloud) { c.Endpoint = "management" }),
		"no token scope":             cloud(func(c *nexus.Cloud) { c.Scope = "" }),
		"names no storage":           cloud(func(c *nexus.Cloud) { c.Storage = "" }),
		"set Storage and StorageSco": cloud(func(c *nexus.Cloud) { c.StorageScope = "" }),
		"CA file":                    {CAFile: "no-such-file"},
	} {
		_, err := nexus.New(&tokens{}, o)
		require.ErrorContains(t, err, says)
	}
	_, err := nexus.New(nil, nexus.Options{})
	require.ErrorContains(t, err, "no credential")
	c, err := nexus.New(&tokens{}, nexus.Options{})
	require.NoError(t, err)
	require.Equal(t, nexus.Public(), c.Cloud())
}
