package mdecore_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
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

// operations names every method of the client that calls the API, with a good call of it and a call with an argument
// that must be refused before anything is sent. TestEveryMethodIsListed keeps it complete.
func operations() map[string]struct {
	write     bool
	good, bad func(context.Context, *mdecore.Client) error
} {
	type op = struct {
		write     bool
		good, bad func(context.Context, *mdecore.Client) error
	}
	return map[string]op{
		"GetAlert": {
			good: func(ctx context.Context, c *mdecore.Client) error { _, err := c.GetAlert(ctx, alertID); return err },
			bad:  func(ctx context.Context, c *mdecore.Client) error { _, err := c.GetAlert(ctx, "a/b"); return err },
		},
		"ListAlerts": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{}))
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{Page: mdecore.Page{Top: -1}}))
			},
		},
		"GetMachine": {
			good: func(ctx context.Context, c *mdecore.Client) error { _, err := c.GetMachine(ctx, machineID); return err },
			bad:  func(ctx context.Context, c *mdecore.Client) error { _, err := c.GetMachine(ctx, "host01"); return err },
		},
		"ListMachines": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListMachines(ctx, mdecore.MachinesQuery{}))
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListMachines(ctx, mdecore.MachinesQuery{Page: mdecore.Page{Skip: -1}}))
			},
		},
		"FindMachinesByName": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByName(ctx, "host01")
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByName(ctx, " ")
				return err
			},
		},
		"FindMachinesByAadDeviceID": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByAadDeviceID(ctx, deviceID)
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByAadDeviceID(ctx, deviceID+" or 1 eq 1")
				return err
			},
		},
		"FindMachinesByIP": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByIP(ctx, netip.MustParseAddr("10.1.0.1"), time.Time{})
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.FindMachinesByIP(ctx, netip.Addr{}, time.Time{})
				return err
			},
		},
		"GetMachineAction": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.GetMachineAction(ctx, actionID)
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.GetMachineAction(ctx, "..")
				return err
			},
		},
		"ListMachineActions": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListMachineActions(ctx, mdecore.MachineActionsQuery{}))
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				return drain(c.ListMachineActions(ctx, mdecore.MachineActionsQuery{Page: mdecore.Page{Top: -5}}))
			},
		},
		"WaitMachineAction": {
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.WaitMachineAction(ctx, actionID, mdecore.WaitOptions{})
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.WaitMachineAction(ctx, "", mdecore.WaitOptions{})
				return err
			},
		},
		"IsolateMachine": {
			write: true,
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.IsolateMachine(ctx, "host01", mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
				return err
			},
		},
		"UnisolateMachine": {
			write: true,
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.UnisolateMachine(ctx, machineID, mdecore.UnisolateRequest{Comment: "why"})
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.UnisolateMachine(ctx, machineID+"/isolate?", mdecore.UnisolateRequest{Comment: "why"})
				return err
			},
		},
		"CancelMachineAction": {
			write: true,
			good: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.CancelMachineAction(ctx, actionID, mdecore.CancelRequest{})
				return err
			},
			bad: func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.CancelMachineAction(ctx, "%2e%2e", mdecore.CancelRequest{})
				return err
			},
		},
	}
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
func (s *service) clientOf(t testing.TB) *mdecore.Client {
	t.Helper()
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{
		Cloud: mdecore.Custom(s.URL, "", ""), RetryDelay: time.Millisecond, WriteTimeout: 2 * time.Second, Limit: &mdecore.Limit{},
		AppID: "app", TenantID: "tenant",
	})
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
