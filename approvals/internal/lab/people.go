package lab

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Clock is a clock that only tests move.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts a clock at a fixed noon.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Directory is a directory with a memory: groups have members until they are removed.
type Directory struct {
	mu      sync.Mutex
	members map[string][]string
	down    error // of Eligible
	lost    error // of Known
	// strangers are unknown by these ids; also are the people found by them.
	strangers []string
	also      map[string]approvals.Person
	// OnAsk, when set, is called at every look-up, so that a test can let time pass meanwhile.
	OnAsk func()
}

// NewDirectory makes a directory without groups.
func NewDirectory() *Directory { return &Directory{members: map[string][]string{}} }

// Join makes people members of a group.
func (d *Directory) Join(group string, people ...approvals.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range people {
		d.members[group] = append(d.members[group], strings.ToLower(p.ID))
	}
}

// Leave ends a membership.
func (d *Directory) Leave(group string, p approvals.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members[group] = slices.DeleteFunc(d.members[group], func(id string) bool { return id == strings.ToLower(p.ID) })
}

// Regroup replaces the members of all groups.
func (d *Directory) Regroup(groups map[string][]approvals.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members = map[string][]string{}
	for name, people := range groups {
		for _, p := range people {
			d.members[name] = append(d.members[name], strings.ToLower(p.ID))
		}
	}
}

// Lose makes every search for a person fail with err, or work again with nil.
func (d *Directory) Lose(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = err
}

// Fail makes every look-up of a membership fail with err, or work again with nil.
func (d *Directory) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = err
}

// Eligible implements approvals.Directory.
func (d *Directory) Eligible(_ context.Context, g approvals.Group, p approvals.Person) (bool, error) {
	if d.OnAsk != nil {
		d.OnAsk()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down != nil {
		return false, d.down
	}
	return slices.Contains(d.members[g.Name], strings.ToLower(p.ID)), nil
}

// Size implements approvals.Directory.
func (d *Directory) Size(_ context.Context, g approvals.Group) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.members[g.Name]), d.down
}

// Known implements approvals.Directory: it knows everybody by their e-mail address but strangers.
func (d *Directory) Known(_ context.Context, p approvals.Person) (approvals.Person, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return approvals.Person{}, false, d.lost
	}
	if slices.Contains(d.strangers, strings.ToLower(p.ID)) {
		return approvals.Person{}, false, nil
	}
	if other, ok := d.also[strings.ToLower(p.ID)]; ok {
		return other, true, nil
	}
	return p, true, nil
}

// Forget makes the directory know nobody by p's name.
func (d *Directory) Forget(p approvals.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.strangers = append(d.strangers, strings.ToLower(p.ID))
}

// Link makes the directory find other by p's name.
func (d *Directory) Link(p, other approvals.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.also == nil {
		d.also = make(map[string]approvals.Person)
	}
	d.also[strings.ToLower(p.ID)] = other
}

// Person is somebody of the laboratory's Slack team.
func Person(name string) approvals.Person {
	return approvals.Person{
		ID: name + "@example.com", Name: name, Aliases: []string{approvals.SlackAlias("T0001", "U"+strings.ToUpper(name))},
	}
}

// Oncall is the approver group of the default policy here.
func Oncall() approvals.Group { return approvals.Group{Name: "oncall", Slack: "S0001"} }

// Leads is a second group.
func Leads() approvals.Group { return approvals.Group{Name: "leads", Slack: "S0002"} }
