package entra

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mde-ops/mde-ops/approvals"
)

// maxTTL is how long an answer is remembered: short, because a person who loses the role must lose the right to approve
// at once, and not shorter, because a fleet asks before every step.
const maxTTL = 30 * time.Second

// lookupTimeout bounds one question with all its pages.
const lookupTimeout = 20 * time.Second

// Roles answers who holds which app role. It is safe for concurrent use.
type Roles struct {
	graph  *graph
	app    string
	ttl    time.Duration
	clock  func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	holders map[string]remembered[holders] // by role
	people  map[string]remembered[account] // by e-mail address
}

// remembered is an answer, and when it was asked for.
type remembered[T any] struct {
	answer T
	asked  time.Time
}

// holders are the object ids of the users who hold a role, whether active or not, and how many of them may be.
type holders struct {
	ids  map[string]bool
	size int
}

var guid = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
})

// New makes a Roles. The network is not touched.
func New(o Options) (*Roles, error) {
	if !guid().MatchString(o.AppID) {
		return nil, fmt.Errorf("the application whose app roles approve is %q, which is no application (client) id: it is a GUID", o.AppID)
	}
	g, err := newGraph(o)
	if err != nil {
		return nil, fmt.Errorf("the look-up of app roles in Entra ID can't be made: %w", err)
	}
	r := &Roles{
		graph: g, app: strings.ToLower(o.AppID), ttl: o.TTL, clock: o.Clock,
		holders: map[string]remembered[holders]{}, people: map[string]remembered[account]{},
	}
	if r.ttl <= 0 || r.ttl > maxTTL {
		r.ttl = maxTTL
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	return r, nil
}

// Holds reports whether the person is now an active member of the tenant, no guest, and holds the role. They are found by
// their canonical id, as user principal name or else as the e-mail address of exactly one user. KindNoAnswer when Graph
// could not be asked.
func (r *Roles) Holds(ctx context.Context, role string, person approvals.Person) (bool, error) {
	email := strings.ToLower(strings.TrimSpace(person.ID))
	if !strings.Contains(email, "@") {
		return false, nil
	}
	have, err := r.of(ctx, role)
	if err != nil || len(have.ids) == 0 {
		return false, err
	}
	who, err := lookUp(ctx, r, r.people, "person "+email, email, func(ctx context.Context) (account, error) {
		return r.graph.user(ctx, email)
	})
	if err != nil {
		return false, noAnswer(err, "whether %s is an active user could not be looked up in Entra ID", email)
	}
	return who.mayApprove() && have.ids[strings.ToLower(who.ID)], nil
}

// RoleSize is how many people hold the role: users assigned it themselves, whom it does not look at, and the active members
// of groups assigned it. Zero when the application has no such role, or nobody holds it. KindNoAnswer when Graph could not
// be asked.
func (r *Roles) RoleSize(ctx context.Context, role string) (int, error) {
	have, err := r.of(ctx, role)
	return have.size, err
}

// of returns who holds a role.
func (r *Roles) of(ctx context.Context, role string) (holders, error) {
	have, err := lookUp(ctx, r, r.holders, "role "+role, role, func(ctx context.Context) (holders, error) {
		return r.graph.holders(ctx, r.app, role)
	})
	if err != nil {
		return holders{}, noAnswer(err, "who holds the app role %q could not be looked up in Entra ID", role)
	}
	return have, nil
}

// lookUp answers from memory while that is fresh, and otherwise asks once for everybody who wants to know. What can't be
// refreshed is not used beyond its time.
func lookUp[T any](ctx context.Context, r *Roles, memory map[string]remembered[T], flight, key string, ask func(context.Context) (T, error)) (T, error) {
	r.mu.Lock()
	m, ok := memory[key]
	r.mu.Unlock()
	if age := r.clock().Sub(m.asked); ok && age >= 0 && age < r.ttl {
		return m.answer, nil
	}
	ch := r.flight.DoChan(flight, func() (any, error) { return refresh(r, memory, key, ask) })
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case res := <-ch:
		if res.Err != nil {
			return none, res.Err
		}
		return res.Val.(T), nil
	}
}

// refresh asks on behalf of many, so that no one's impatience may end it, and on nobody's goroutine, so that a fault in it
// would end the process.
func refresh[T any](r *Roles, memory map[string]remembered[T], key string, ask func(context.Context) (T, error)) (answer T, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the look-up failed: %v", fault)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	asked := r.clock() // before the question: the answer may be as old as that
	if answer, err = ask(ctx); err != nil {
		return answer, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, m := range memory {
		if age := asked.Sub(m.asked); age < 0 || age >= r.ttl {
			delete(memory, k)
		}
	}
	memory[key] = remembered[T]{answer, asked}
	return answer, nil
}

// noAnswer is the refusal of who could not be answered. What an operator can mend is part of its text.
func noAnswer(cause error, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	var mend *setupError
	if errors.As(cause, &mend) {
		text += ": " + mend.Error()
	}
	return approvals.Refuse(approvals.KindNoAnswer, cause, "%s; nothing was done", text)
}
