// Package toolstest builds what tools need around them, for tests: a simulated tenant over HTTPS, clients of it, a gate on
// a SQLite file with the default policy, and a clock that only moves when it is told to.
package toolstest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// Options vary a House. The zero value is a usual one.
type Options struct {
	// Policy is the default policy with a group "on-call" unless set.
	Policy approvals.Policy
	// AppID and AppSecret are the reader's identity; the simulator's reader unless set.
	AppID, AppSecret string
	// NewID makes request ids; random ones unless set.
	NewID func() string
	// Nexus changes the simulated clusters before they are served.
	Nexus func(*nexussim.Azure)
}

// House is a tenant, clients of it and a gate.
type House struct {
	Tenant         *mdesim.Tenant
	Server         *mdesim.Server
	Reader, Writer *mdecore.Client
	DB             *store.DB
	File           string // of DB, for tests that write into it behind the program's back
	Gate           *gate.Gate
	Evidence       *evidence.Store
	Policy         approvals.Policy
	Clock          *Clock
	// Nexus are simulated clusters, NexusReader and NexusWriter clients of them.
	Nexus                    *nexussim.Azure
	NexusReader, NexusWriter *nexus.Client
}

// NodeMachine is the machine name of a node of the simulated clusters that is also the tenant's device mdesim.NameLinux.
const NodeMachine = "r01w001"

// Clock is a time that stands still until it is moved. It begins at the real time, because tokens have to be valid.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Open builds a house; the test's end takes it down.
func Open(t testing.TB, o Options) *House {
	t.Helper()
	h := &House{Clock: &Clock{now: time.Now().UTC()}}
	h.Tenant = &mdesim.Tenant{Clock: h.Clock.Now, ActionPending: time.Second, ActionRunning: 2 * time.Second}
	var err error
	h.Server, err = h.Tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Server.Close() })
	if o.AppID == "" {
		o.AppID, o.AppSecret = mdesim.DefaultReaderID, mdesim.DefaultReaderSecret
	}
	h.Reader = h.Client(t, o.AppID, o.AppSecret)
	h.Writer = h.Client(t, mdesim.DefaultAppID, mdesim.DefaultAppSecret)
	h.openNexus(t, o.Nexus)
	h.Policy = o.Policy
	if h.Policy == nil {
		h.Policy, err = policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "on-call", People: []string{"bob@contoso.com"}}})
		require.NoError(t, err)
	}
	h.File = filepath.Join(t.TempDir(), "gate.db")
	require.NoError(t, storetest.CopyReady(h.File))
	h.DB, err = store.Open(t.Context(), store.Options{URL: h.File, Clock: h.Clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.DB.Close() })
	h.Gate, err = gate.New(gate.Options{Store: h.DB, Policy: h.Policy, Clock: h.Clock.Now, Poll: 5 * time.Millisecond, NewID: o.NewID})
	require.NoError(t, err)
	t.Cleanup(h.Gate.Close)
	bucket := blobs.Memory()
	h.Evidence, err = evidence.New(evidence.Options{
		Open: func(context.Context) (evidence.Bucket, error) { return bucket, nil }, Clock: h.Clock.Now, TempDir: t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Evidence.Close() })
	return h
}

// openNexus starts the simulated clusters, with a client that may only look and one that may change them.
func (h *House) openNexus(t testing.TB, change func(*nexussim.Azure)) {
	t.Helper()
	h.Tenant.SetResources(nexussim.Resources()...)
	ids := map[string]string{NodeMachine: h.Tenant.Device(mdesim.NameLinux).ID}
	h.Nexus = &nexussim.Azure{Clock: h.Clock.Now, OperationTime: 10 * time.Second, ScanTime: time.Minute, DeviceIDs: ids}
	if change != nil {
		change(h.Nexus)
	}
	server, err := h.Nexus.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	client := func(appID, secret string) *nexus.Client {
		c, err := nexus.New(h.Server.AppCredential(appID, secret), nexus.Options{Cloud: nexus.Custom(server.URL), HTTPClient: server.Client(), RetryDelay: time.Millisecond})
		require.NoError(t, err)
		return c
	}
	h.NexusReader = client(mdesim.DefaultReaderID, mdesim.DefaultReaderSecret)
	h.NexusWriter = client(mdesim.DefaultAppID, mdesim.DefaultAppSecret)
}

// Client is a client of the tenant, as an application. It never waits for a budget, so that tests don't.
func (h *House) Client(t testing.TB, appID, secret string) *mdecore.Client {
	t.Helper()
	c, err := mdecore.New(h.Server.AppCredential(appID, secret), mdecore.Options{
		Cloud: mdecore.Custom(h.Server.URL, h.Server.URL, ""), HTTPClient: h.Server.Client(), TenantID: mdesim.DefaultTenantID, AppID: appID,
		Limit: &mdecore.Limit{PerMinute: 1_000_000, PerHour: 10_000_000}, MaxRetries: -1,
	})
	require.NoError(t, err)
	return c
}

// Read is the text of a file.
func Read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}

// Alice is a responder who proved who she is.
func Alice() approvals.Requester {
	return approvals.Requester{Person: approvals.Person{ID: "alice@contoso.com", Name: "Alice"}, Verified: true, Via: approvals.ViaMCP}
}
