package nexussim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

// Defaults of a zero [Azure].
const (
	DefaultSubscription  = "123e4567-e89b-12d3-a456-426655440000"
	DefaultOperationTime = 2 * time.Second
	DefaultScanTime      = 4 * time.Second
	DefaultReportSize    = 8 << 10
	DefaultPageSize      = 50
)

// The api-versions that an [Azure] takes unless set: those that added something.
const (
	version2024 = "2024-07-01"
	version2025 = "2025-02-01"
	Version2509 = "2025-09-01" // with runDataExtractsRestricted and actionStates
	Version2607 = "2026-07-01" // with the agent's state on nodes
)

// LongForm is how Azure answers a call that begins a long operation.
type LongForm string

// The forms. All are documented or stand in published examples.
const (
	BothHeaders  LongForm = ""         // 202 with Azure-AsyncOperation and Location
	LocationOnly LongForm = "location" // 202 with Location alone
	AtOnce       LongForm = "at once"  // 200: it is done
)

// Azure is a simulated Azure Resource Manager. The zero value is ready to use. Fields are read at the first request and must
// not be changed after it; methods may be called at any time from any goroutine. Durations that are zero take their default,
// negative ones mean "at once".
type Azure struct {
	// Clock tells the time for tokens, operations, scans and links. Default time.Now.
	Clock func() time.Time
	// Subscription is the one that Clusters are in. Default DefaultSubscription.
	Subscription string
	// Clusters are what is there. Default DefaultClusters.
	Clusters []Cluster
	// Roles are what applications (by client id) may do: actions such as Microsoft.NetworkCloud/clusters/read, or "*". When it
	// is nil every application may do everything.
	Roles map[string][]string
	// APIVersions are those that are taken. Default 2024-07-01, 2025-02-01, Version2509 and Version2607.
	APIVersions []string
	// OperationTime is how long an operation runs, ScanTime how long a node scans; nodes begin one after the other.
	OperationTime, ScanTime time.Duration
	// RetryAfter is sent with what still runs. Default "1".
	RetryAfter string
	// Form is how calls that begin an operation are answered.
	Form LongForm
	// PageSize is the largest page of a list; ReportSize the size of a report in bytes, before it is packed.
	PageSize, ReportSize int
	// DeviceIDs are the ids of nodes in Defender for Endpoint, by machine name. Others get one of their own.
	DeviceIDs map[string]string
	// PerMinute, when above zero, is how many requests a minute an application may make.
	PerMinute int
	// Latency delays every answer.
	Latency time.Duration
	// Log gets one line that says it is simulated, and each request at debug level. Default: nothing is logged.
	Log *slog.Logger
	// Control lets programs arm faults and read effects over HTTP, at /nexussim/faults and /nexussim/effects.
	Control bool
	// OnAccepted is called after a write took effect and before it is answered.
	OnAccepted func(Effect)

	once   sync.Once
	faults simulate.Faults

	mu         sync.Mutex
	clusters   []*cluster
	operations map[string]*operation
	made       int // operations so far
	requests   map[Request]int
	effects    []Effect
	blobs      map[string]blob
	windows    map[string]window
}

// Effect is a write that Azure accepted.
type Effect struct {
	At time.Time `json:"at"`
	// Kind is "level", "scan" or "report"; Resource is the cluster's or node's id.
	Kind     string `json:"kind"`
	Resource string `json:"resource"`
	// Level is what a change sets. Body is the request's, IfMatch and APIVersion what came with it.
	Level      string `json:"level,omitempty"`
	Body       string `json:"body"`
	IfMatch    string `json:"ifMatch,omitempty"`
	APIVersion string `json:"apiVersion"`
	// App is the client id of who did it.
	App string `json:"app"`
}

// Request is a method and a path, without the host and the query.
type Request struct{ Method, Path string }

// window counts the requests of an application.
type window struct {
	since time.Time
	n     int
}

func (a *Azure) ready() {
	a.once.Do(func() {
		if a.Clock == nil {
			a.Clock = time.Now
		}
		if a.Log == nil {
			a.Log = slog.New(slog.DiscardHandler)
		}
		if len(a.APIVersions) == 0 {
			a.APIVersions = []string{version2024, version2025, Version2509, Version2607}
		}
		a.Subscription = orDefault(a.Subscription, DefaultSubscription)
		a.OperationTime, a.ScanTime = orDefault(a.OperationTime, DefaultOperationTime), orDefault(a.ScanTime, DefaultScanTime)
		a.RetryAfter, a.PageSize = orDefault(a.RetryAfter, "1"), orDefault(a.PageSize, DefaultPageSize)
		a.ReportSize = orDefault(a.ReportSize, DefaultReportSize)
		if a.Clusters == nil {
			a.Clusters = DefaultClusters()
		}
		for _, c := range a.Clusters {
			a.clusters = append(a.clusters, newCluster(c))
		}
		a.operations, a.requests = map[string]*operation{}, map[Request]int{}
		a.blobs, a.windows = map[string]blob{}, map[string]window{}
		a.faults.Folded = true // paths of Resource Manager are
	})
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (a *Azure) now() time.Time { return a.Clock().UTC() }

// Fail arms a fault; paths are compared without case.
func (a *Azure) Fail(f simulate.Fault) {
	a.ready()
	a.faults.Arm(f)
}

// ClearFaults disarms every fault.
func (a *Azure) ClearFaults() {
	a.ready()
	a.faults.Clear()
}

// Effects are the writes that were accepted, in order.
func (a *Azure) Effects() []Effect {
	a.ready()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.effects)
}

// Requests counts what was asked, refused requests too.
func (a *Azure) Requests() map[Request]int {
	a.ready()
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.requests)
}

// Writes counts the requests that could have changed something, refused ones too.
func (a *Azure) Writes() (n int) {
	for r, times := range a.Requests() {
		if r.Method != http.MethodGet {
			n += times
		}
	}
	return n
}

// SetCluster changes a cluster by hand, as somebody else would: its ETag changes too.
func (a *Azure) SetCluster(name string, change func(*Cluster)) {
	a.ready()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	for _, c := range a.clusters {
		if strings.EqualFold(c.seed.Name, name) {
			change(&c.seed)
			c.version++
			return
		}
	}
	panic("nexussim: there is no cluster " + name)
}

// SetNode changes a node by hand.
func (a *Azure) SetNode(clusterName, name string, change func(*Node)) {
	a.ready()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle()
	for _, c := range a.clusters {
		for _, n := range c.nodes {
			if strings.EqualFold(c.seed.Name, clusterName) && strings.EqualFold(n.seed.Name, name) {
				change(&n.seed)
				return
			}
		}
	}
	panic("nexussim: cluster " + clusterName + " has no node " + name)
}

// Level is the enforcement level of a cluster now.
func (a *Azure) Level(name string) (level string) {
	a.SetCluster(name, func(c *Cluster) { level = c.Level })
	return level
}

// deviceID is the id of a node's machine in Defender for Endpoint: 40 hex digits.
func (a *Azure) deviceID(machine string) string {
	if id := a.DeviceIDs[machine]; id != "" {
		return id
	}
	sum := sha256.Sum256([]byte("device " + machine))
	return hex.EncodeToString(sum[:20])
}

// stated is the id that a node's agent states; none when it does not know itself to be a device.
func (a *Azure) stated(n *node) string {
	if n.seed.Unknown {
		return ""
	}
	return a.deviceID(n.seed.Machine)
}

// Server is an [Azure] listening on a loopback address with TLS.
type Server struct {
	// URL is https://127.0.0.1:port: Resource Manager and the storage of results.
	URL string

	served *simulate.Server
}

// Start listens on a free port of 127.0.0.1.
func (a *Azure) Start() (*Server, error) { return a.StartOn("127.0.0.1:0") }

// StartOn listens on a loopback address; any other is refused.
func (a *Azure) StartOn(addr string) (*Server, error) {
	a.ready()
	served, err := simulate.Serve("nexussim", addr, a, a.Log)
	if err != nil {
		return nil, err
	}
	a.Log.Warn("SIMULATED Nexus clusters, for tests and demos only: no real cluster is read or changed", "url", served.URL)
	return &Server{URL: served.URL, served: served}, nil
}

// Close stops listening and closes every connection.
func (s *Server) Close() error { return s.served.Close() }

// Client returns an HTTP client that trusts the server's certificate.
func (s *Server) Client() *http.Client { return s.served.Client() }

// CertificatePEM is the server's certificate.
func (s *Server) CertificatePEM() []byte { return s.served.CertificatePEM() }

// CAFile writes the certificate as PEM into dir and returns the file's name.
func (s *Server) CAFile(dir string) (string, error) {
	name := filepath.Join(dir, "nexussim-ca.pem")
	if err := os.WriteFile(name, s.served.CertificatePEM(), 0o600); err != nil {
		return "", fmt.Errorf("nexussim: write the certificate: %w", err)
	}
	return name, nil
}
