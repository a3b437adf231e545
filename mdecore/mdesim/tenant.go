package mdesim

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

// Defaults of a zero [Tenant].
const (
	DefaultDevices       = 250
	DefaultPageSize      = 10000 // the documented maximum of $top
	DefaultTokenLife     = 3599 * time.Second
	DefaultActionPending = time.Second
	DefaultActionRunning = 2 * time.Second
	DefaultActionTimeout = 5 * time.Minute
)

// Tenant is a simulated Defender tenant and the Entra ID tenant it belongs to.
// The zero value is ready to use. Fields are read at the first request and must
// not be changed after it; methods may be called at any time from any goroutine.
// Durations that are zero take their default, negative ones mean "at once".
type Tenant struct {
	// Clock tells the time for tokens, actions, alerts, limits and the Date of every answer. Default time.Now.
	Clock func() time.Time
	// ID is the tenant id, a GUID. Default DefaultTenantID.
	ID string
	// Apps are the registered applications. Default: a writer with every role
	// (DefaultAppID) and a reader (DefaultReaderID).
	Apps []App
	// Users are the people who can sign in. Default alice, bob and rita @contoso.com.
	Users []User
	// TokenLife is how long an access token is valid. Default DefaultTokenLife.
	TokenLife time.Duration
	// Latency delays every API request before it is handled; the token endpoint
	// answers at once. A client that leaves meanwhile does not stop its request,
	// because it would not in reality.
	Latency time.Duration
	// Throttle switches on the documented limits.
	Throttle Throttle
	// Faults are armed from the start; [Tenant.Fail] arms more.
	Faults []Fault
	// ActionPending and ActionRunning are how long an action is Pending and then
	// InProgress. Defaults DefaultActionPending and DefaultActionRunning.
	ActionPending, ActionRunning time.Duration
	// ActionTimeout is when the action of a device that cannot be reached ends as
	// TimeOut. Default DefaultActionTimeout.
	ActionTimeout time.Duration
	// ActionLag is how long a new action is not shown yet: a GET of it answers 404
	// and no list has it, as it can happen just after creation.
	ActionLag time.Duration
	// OfflineDevices (ids or full DNS names) cannot be reached, in addition to
	// the seeded ones: their actions stay Pending and then end as TimeOut.
	OfflineDevices []string
	// FailingDevices (ids or full DNS names) end every action as Failed.
	FailingDevices []string
	// PageSize is the largest page of a list. Default DefaultPageSize.
	PageSize int
	// Devices is how many devices are seeded. Default DefaultDevices; negative: none.
	Devices int
	// Seed varies the generated ids and devices; the same seed and clock give the
	// same tenant.
	Seed uint64
	// Log gets one line that says the tenant is simulated, and each request at
	// debug level. Default: nothing is logged.
	Log *slog.Logger
	// Control lets programs arm faults and read effects over HTTP, at
	// /mdesim/faults and /mdesim/effects.
	Control bool
	// OnRequest is called before a request is handled.
	OnRequest func(*http.Request)
	// OnAccepted is called after a write took effect and before it is answered.
	// While it blocks the answer is held, so a test can end the client just there.
	OnAccepted func(Effect)

	once   sync.Once
	apps   []App
	users  []User
	routes []route
	router router
	signer signer

	mu             sync.Mutex
	ids            *rand.Rand
	trace          *rand.Rand
	devices        fleet
	alerts         []*Alert // newest first; replaced, never changed in place
	actions        []*action
	byAction       map[string]*action
	byMachine      map[string][]*action
	effects        []Effect
	requests       map[Request]int
	writes         int
	faults         simulate.Faults
	windows        map[string]*window
	library        libraryState
	indicators     indicatorState
	investigations investigationState
	exposure       exposureState
	assessments    assessmentState
	scans          scanState
	graph          graphState
	entra          entraState
	storage        storageState
	generation     int // tokens of an older generation are revoked
}

// ready fills defaults and seeds the tenant, once.
func (t *Tenant) ready() {
	t.once.Do(func() {
		t.ID = orDefault(t.ID, DefaultTenantID)
		t.PageSize = orDefault(t.PageSize, DefaultPageSize)
		t.TokenLife = orDefault(t.TokenLife, DefaultTokenLife)
		t.ActionPending = orDefault(t.ActionPending, DefaultActionPending)
		t.ActionRunning = orDefault(t.ActionRunning, DefaultActionRunning)
		t.ActionTimeout = orDefault(t.ActionTimeout, DefaultActionTimeout)
		t.Devices = orDefault(t.Devices, DefaultDevices)
		if t.Clock == nil {
			t.Clock = time.Now
		}
		if t.Log == nil {
			t.Log = slog.New(slog.DiscardHandler)
		}
		t.apps, t.users = slices.Clone(t.Apps), slices.Clone(t.Users)
		if len(t.apps) == 0 {
			t.apps = defaultApps()
		}
		if len(t.users) == 0 {
			t.users = defaultUsers()
		}
		t.ids, t.trace = rand.New(rand.NewPCG(t.Seed, 1)), rand.New(rand.NewPCG(t.Seed, 2))
		t.byAction, t.byMachine = map[string]*action{}, map[string][]*action{}
		t.requests, t.windows = map[Request]int{}, map[string]*window{}
		for _, f := range t.Faults {
			t.faults.Arm(f)
		}
		t.routes = table()
		t.router = newRouter(t.routes)
		t.seed()
	})
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (t *Tenant) now() time.Time { return t.Clock().UTC() }

// guid makes a random GUID from r; the caller holds t.mu.
func guid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return guidOf(a, b)
}
