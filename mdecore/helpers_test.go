package mdecore_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	machineID = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"
	alertID   = "da637472900382838869_1364969609"
	actionID  = "5382f7ea-7557-4ab7-9782-d50480024a4e"
	deviceID  = "80fe8ff8-2624-418e-9591-41f0491218f9"
)

// operation is one method of the client that calls the API, as the tests of all methods call it.
type operation struct {
	// write says that the method changes something, so that it must not be sent twice.
	write bool
	// good is a call that a service of answers to may answer.
	good func(context.Context, *mdecore.Client) error
	// bad are calls that must be refused before anything is sent. Only a method without arguments has none.
	bad []func(context.Context, *mdecore.Client) error
	// answer is what good wants as an answer; anything of the id in the path when nil.
	answer http.HandlerFunc
	// silent says that the method wants no answer but a status.
	silent bool
}

// withID is an operation on something that has an id: it is tried with a good one and refused with every bad one.
func withID(good string, call func(ctx context.Context, c *mdecore.Client, id string) error) operation {
	op := operation{good: func(ctx context.Context, c *mdecore.Client) error { return call(ctx, c, good) }}
	for _, id := range badIDs() {
		op.bad = append(op.bad, func(ctx context.Context, c *mdecore.Client) error { return call(ctx, c, id) })
	}
	return op
}

// changing marks an operation as a write.
func (o operation) changing() operation {
	o.write = true
	return o
}

// answering sets what a good call is answered.
func (o operation) answering(body string) operation {
	o.answer = answer(200, body)
	return o
}

// refusing adds calls that must be refused before anything is sent.
func (o operation) refusing(bad ...func(context.Context, *mdecore.Client) error) operation {
	o.bad = append(o.bad, bad...)
	return o
}

// operations names every method of the client that has an //mde:op line, family by family. TestEveryMethodIsListed keeps
// it complete.
func operations(t testing.TB) map[string]operation {
	t.Helper()
	all := map[string]operation{}
	for _, family := range []map[string]operation{
		alertOperations(), machineOperations(), machineActionOperations(), liveResponseOperations(), libraryOperations(), indicatorOperations(),
		huntingOperations(), investigationOperations(), exposureOperations(), entityOperations(), assessmentOperations(), scanOperations(), graphOperations(),
	} {
		for name, op := range family {
			require.NotContains(t, all, name)
			if op.answer == nil {
				op.answer = asAsked
			}
			all[name] = op
		}
	}
	return all
}

// drain reads a list to its end.
func drain[T any](items func(func(*T, error) bool)) error {
	for _, err := range items {
		if err != nil {
			return err
		}
	}
	return nil
}

// fakeCred is a credential that numbers its tokens and can forget, like a real renewable one.
type fakeCred struct {
	mu sync.Mutex
	n  int
}

func (c *fakeCred) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return azcore.AccessToken{Token: "token" + string(rune('a'+c.n)), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (c *fakeCred) Renew(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

// service is an HTTP server that keeps what it was sent.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	calls []received
}

type received struct{ method, path, query, body, token string }

func newService(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.calls = append(s.calls, received{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Get("Authorization")})
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

// clientOf makes a client with waits short enough for tests.
func (s *service) clientOf(t testing.TB, adjust ...func(*mdecore.Options)) *mdecore.Client {
	t.Helper()
	opts := mdecore.Options{
		Cloud: mdecore.Custom(s.URL, "", ""), RetryDelay: time.Millisecond, WriteTimeout: 2 * time.Second, Limit: &mdecore.Limit{},
		AppID: "app", TenantID: "tenant",
	}
	for _, f := range adjust {
		f(&opts)
	}
	c, err := mdecore.New(&fakeCred{}, opts)
	require.NoError(t, err)
	return c
}

// answer writes a status and a JSON body.
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

// anything is an answer that fits every method: it is an alert, a machine, an action and a list with nothing in it.
func anything(id string) string {
	return `{"id":"` + id + `","status":"Succeeded","value":[]}`
}

// asAsked answers every method with a resource of the id that it asked for.
func asAsked(w http.ResponseWriter, r *http.Request) {
	id := machineID
	if strings.Contains(r.URL.Path, "/"+actionID) {
		id = actionID
	}
	answer(200, anything(id))(w, r)
}
