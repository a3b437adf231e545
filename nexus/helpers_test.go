package nexus_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

const (
	subscription = "123e4567-e89b-12d3-a456-426655440000"
	clusterPath  = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.NetworkCloud/clusters/site"
	nodesPath    = "/subscriptions/" + subscription + "/resourceGroups/site-managed/providers/Microsoft.NetworkCloud/bareMetalMachines"
	nodePath     = nodesPath + "/rack1control01"
	operations   = "/subscriptions/" + subscription + "/providers/Microsoft.NetworkCloud/locations/eastus/operationStatuses/"
	operation    = operations + "aaaaaaaa-0000-4000-8000-000000000001*99399E995?api-version=2025-09-01"
	correlation  = "6f1c2a3b-4d5e-4f60-8a7b-9c0d1e2f3a4b"
)

// tokens is a credential that names the scope in its tokens, numbers them and can forget, like a real renewable one.
type tokens struct {
	mu    sync.Mutex
	asked []string
	n     int
}

func (c *tokens) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, o.Scopes...)
	return azcore.AccessToken{Token: "token" + string(rune('a'+c.n)) + "@" + strings.Join(o.Scopes, " "), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (c *tokens) Renew(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

// service is an HTTP server that keeps what it was sent.
type service struct {
	*httptest.Server
	tokens tokens
	mu     sync.Mutex
	calls  []received
}

type received struct {
	method, path, query, body string
	header                    http.Header
}

func newService(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.calls = append(s.calls, received{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.calls...)
}

// client makes a client with waits short enough for tests.
func (s *service) client(t testing.TB, adjust ...func(*nexus.Options)) *nexus.Client {
	t.Helper()
	o := nexus.Options{Cloud: nexus.Custom(s.URL), RetryDelay: time.Millisecond, WriteTimeout: 5 * time.Second}
	for _, f := range adjust {
		f(&o)
	}
	c, err := nexus.New(&s.tokens, o)
	require.NoError(t, err)
	return c
}

// answer writes a status and a JSON body, with headers in pairs.
func answer(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// armError is Resource Manager's error.
func armError(code int, name, message string) http.HandlerFunc {
	return answer(code, `{"error":{"code":"`+name+`","message":"`+message+`"}}`)
}

func parseID(t testing.TB, text string) nexus.ID {
	t.Helper()
	id, err := nexus.ParseID(text)
	require.NoError(t, err)
	return id
}

func collect[T any](items iter.Seq2[*T, error]) (out []*T, err error) {
	for item, err := range items {
		if err != nil {
			return out, err
		}
		out = append(out, item)
	}
	return out, nil
}

// siteCluster is a cluster as it was read.
func siteCluster(t testing.TB) *nexus.Cluster {
	return &nexus.Cluster{
		ID: parseID(t, clusterPath), ETag: `"1"`, Level: nexus.OnDemand, ManagedResourceGroup: "site-managed", APIVersion: "2025-09-01",
	}
}

// clusterBody is a cluster as the service writes it.
func clusterBody(properties string) string {
	return `{"id":"` + clusterPath + `","name":"site","etag":"\"7\"","location":"eastus","properties":{` + properties + `}}`
}

func nodeBody(name, properties string) string {
	return `{"id":"` + nodesPath + `/` + name + `","properties":{` + properties + `}}`
}

// write is one of the three calls that change something.
type write struct {
	method string
	do     func(context.Context, *nexus.Client) (nexus.Accepted, error)
}

func writes(t testing.TB) map[string]write {
	return map[string]write{
		"SetEnforcementLevel": {http.MethodPatch, func(ctx context.Context, c *nexus.Client) (nexus.Accepted, error) {
			return c.SetEnforcementLevel(ctx, siteCluster(t), nexus.RealTime)
		}},
		"ScanRuntime": {http.MethodPost, func(ctx context.Context, c *nexus.Client) (nexus.Accepted, error) {
			return c.ScanRuntime(ctx, parseID(t, clusterPath), correlation)
		}},
		"StartReport": {http.MethodPost, func(ctx context.Context, c *nexus.Client) (nexus.Accepted, error) {
			return c.StartReport(ctx, parseID(t, nodePath), 10*time.Minute)
		}},
	}
}

// reads are the calls that change nothing.
func reads(t testing.TB) map[string]func(context.Context, *nexus.Client) error {
	return map[string]func(context.Context, *nexus.Client) error{
		"ListClusters": func(ctx context.Context, c *nexus.Client) error {
			_, err := collect(c.ListClusters(ctx, subscription, ""))
			return err
		},
		"GetCluster": func(ctx context.Context, c *nexus.Client) error {
			_, err := c.GetCluster(ctx, parseID(t, clusterPath))
			return err
		},
		"ListNodes": func(ctx context.Context, c *nexus.Client) error {
			_, err := collect(c.ListNodes(ctx, siteCluster(t)))
			return err
		},
		"OperationStatus": func(ctx context.Context, c *nexus.Client) error {
			_, err := c.OperationStatus(ctx, operation)
			return err
		},
		"DownloadResult": func(ctx context.Context, c *nexus.Client) error {
			_, err := c.DownloadResult(ctx, operation, "", io.Discard)
			return err
		},
	}
}

// replaced puts a server's address in place of {} and its host in place of {host}.
func replaced(text, address, host string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "{}", address), "{host}", host)
}

// again looks at an operation, and returns the path and query that were asked for.
func again(t testing.TB, s *service, operation string) string {
	t.Helper()
	_, _ = s.client(t).OperationStatus(t.Context(), operation)
	all := s.received()
	last := all[len(all)-1]
	require.Equal(t, http.MethodGet, last.method)
	return last.path + "?" + last.query
}
