package tools

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/mdecore"
)

// How much of the lists about an entity is read, and how much of that is shown.
const (
	entityRead  = 500
	entityShown = 10
)

// look is one entity being looked up.
type look struct {
	*session
	entity
	hours int

	mu     sync.Mutex // guards what follows; parts run at once
	out    lookUpOut
	parts  int
	faults []error
}

// part is one question about an entity.
type part struct {
	name string
	ask  func(context.Context) error
}

// all asks every question. What can't be answered is named, and the rest is given; only when nothing can be answered, the look-up
// fails.
func (l *look) all(ctx context.Context) error {
	first, then := l.questions()
	l.atOnce(ctx, first)
	if then != nil {
		l.atOnce(ctx, then(ctx))
	}
	if len(l.faults) == l.parts {
		return l.faults[0]
	}
	slices.Sort(l.out.Failed)
	return nil
}

// atOnce asks questions side by side; there are at most four.
func (l *look) atOnce(ctx context.Context, parts []part) {
	var wait sync.WaitGroup
	for _, p := range parts {
		l.parts++
		wait.Go(func() {
			err := p.ask(ctx)
			if err == nil || mdecore.IsNotFound(err) { // Defender's word for what it doesn't know
				return
			}
			l.with(func(o *lookUpOut) {
				l.faults = append(l.faults, err)
				o.Failed = append(o.Failed, p.name+": "+whyNot(err))
			})
		})
	}
	wait.Wait()
}

// whyNot is why a part failed, for people.
func whyNot(err error) string {
	var remote *mdecore.Error
	if errors.As(err, &remote) {
		return clean(remote.Error(), 300)
	}
	return "it failed inside this program; its log has the cause"
}

func (l *look) with(set func(*lookUpOut)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(&l.out)
}

// questions are what is asked about a kind of entity: those to begin with, and those that need their answers.
func (l *look) questions() (first []part, then func(context.Context) []part) {
	stats := mdecore.StatsQuery{LookBackHours: l.hours}
	switch l.kind {
	case "file":
		return l.fileQuestions(stats)
	case "ip":
		l.out.note("Defender's API names no devices for an address; run_query network_connections with remote does.")
		return []part{
			{"prevalence", func(ctx context.Context) error {
				p, err := l.reader.GetIPStats(ctx, l.ip, stats)
				if err == nil {
					l.common(prevalence{Devices: int64(p.OrganizationPrevalence), FirstSeen: p.OrgFirstSeen.Time, LastSeen: p.OrgLastSeen.Time})
				}
				return err
			}},
			{"alerts", func(ctx context.Context) error { return l.alerts(l.reader.ListIPAlerts(ctx, l.ip)) }},
		}, nil
	case "domain":
		return []part{
			{"prevalence", func(ctx context.Context) error {
				p, err := l.reader.GetDomainStats(ctx, l.value, stats)
				if err == nil {
					l.common(prevalence{Devices: int64(p.OrganizationPrevalence), FirstSeen: p.OrgFirstSeen.Time, LastSeen: p.OrgLastSeen.Time})
				}
				return err
			}},
			{"alerts", func(ctx context.Context) error { return l.alerts(l.reader.ListDomainAlerts(ctx, l.value)) }},
			{"devices", func(ctx context.Context) error { return l.devices(l.reader.ListDomainMachines(ctx, l.value)) }},
		}, nil
	}
	return []part{
		{"alerts", func(ctx context.Context) error { return l.alerts(l.reader.ListUserAlerts(ctx, l.value)) }},
		{"devices", func(ctx context.Context) error { return l.devices(l.reader.ListUserMachines(ctx, l.value)) }},
	}, func(context.Context) []part { return l.userQuestions() }
}

// fileQuestions begin with the profile, because alerts and devices are asked for by SHA-1 and a SHA-256 leads there through it.
func (l *look) fileQuestions(stats mdecore.StatsQuery) (first []part, then func(context.Context) []part) {
	sha1 := ""
	if len(l.value) == 40 {
		sha1 = l.value
	}
	lists := func() []part {
		return []part{
			{"alerts", func(ctx context.Context) error { return l.alerts(l.reader.ListFileAlerts(ctx, sha1)) }},
			{"devices", func(ctx context.Context) error { return l.devices(l.reader.ListFileMachines(ctx, sha1)) }},
		}
	}
	first = []part{
		{"profile", func(ctx context.Context) error {
			f, err := l.reader.GetFile(ctx, l.value)
			if err != nil {
				return err
			}
			l.with(func(o *lookUpOut) { o.File, o.Known = viewOfFile(f), true })
			return nil
		}},
		{"prevalence", func(ctx context.Context) error {
			p, err := l.reader.GetFileStats(ctx, l.value, stats)
			if err != nil {
				return err
			}
			l.common(prevalence{
				Devices: int64(p.OrganizationPrevalence), FirstSeen: p.OrgFirstSeen.Time, LastSeen: p.OrgLastSeen.Time, Global: int64(p.GloballyPrevalence),
				Names: cleanAll(p.TopFileNames[:min(len(p.TopFileNames), 10)]),
			})
			return nil
		}},
	}
	if sha1 != "" {
		return append(first, lists()...), nil
	}
	return first, func(context.Context) []part {
		if f := l.out.File; f != nil && deviceText().MatchString(f.SHA1) {
			sha1 = f.SHA1
			return lists()
		}
		l.out.note("Alerts and devices are found by SHA-1, which is not known for this SHA-256, so they were not asked for.")
		return nil
	}
}

// common takes in how common an entity is.
func (l *look) common(p prevalence) {
	l.with(func(o *lookUpOut) {
		o.Prevalence = &p
		o.Known = o.Known || p.Devices > 0 || p.Global > 0
	})
}

// userQuestions look for the account's profile where Defender has it: with an alert about it, or with a device that it used.
func (l *look) userQuestions() []part {
	ask := func(found iter.Seq2[*mdecore.User, error]) error {
		for u, err := range found {
			if err != nil {
				return err
			}
			if strings.EqualFold(u.AccountName, l.value) && (l.domain == "" || strings.EqualFold(u.AccountDomain, l.domain)) {
				l.with(func(o *lookUpOut) { o.User, o.Known = viewOfUser(u), true })
				return nil
			}
		}
		return nil
	}
	switch {
	case len(l.out.Alerts) > 0:
		return []part{{"profile", func(ctx context.Context) error {
			u, err := l.reader.GetAlertUser(ctx, l.out.Alerts[0].ID)
			if err != nil {
				return err
			}
			return ask(func(yield func(*mdecore.User, error) bool) { yield(u, nil) })
		}}}
	case len(l.out.Devices) > 0:
		return []part{{"profile", func(ctx context.Context) error {
			return ask(l.reader.ListMachineLogonUsers(ctx, l.out.Devices[0].ID))
		}}}
	}
	return nil
}

// alerts takes in the alerts about the entity, the newest first.
func (l *look) alerts(found iter.Seq2[*mdecore.Alert, error]) error {
	all, more, err := atMost(found, func(a *mdecore.Alert) entityAlert {
		return entityAlert{
			ID: clean(a.ID, 100), Title: clean(a.Title, 300), Severity: clean(string(a.Severity), 40), Status: clean(string(a.Status), 40),
			DeviceID: clean(a.MachineID, 60), Device: clean(a.ComputerDNSName, 260), At: a.AlertCreationTime.Time,
		}
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b entityAlert) int { return b.At.Compare(a.At) })
	l.with(func(o *lookUpOut) {
		o.Alerts, o.AlertsOf = all[:min(len(all), entityShown)], shownOf(len(all), more)
		o.Known = o.Known || len(all) > 0
	})
	return nil
}

// devices takes in the devices that saw the entity, the last seen first.
func (l *look) devices(found iter.Seq2[*mdecore.Machine, error]) error {
	all, more, err := atMost(found, func(m *mdecore.Machine) entityDevice {
		return entityDevice{
			ID: clean(m.ID, 60), Name: clean(m.ComputerDNSName, 260), OS: clean(m.OSPlatform, 60), Health: clean(string(m.HealthStatus), 60),
			Risk: clean(string(m.RiskScore), 60), LastSeen: m.LastSeen.Time,
		}
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b entityDevice) int { return b.LastSeen.Compare(a.LastSeen) })
	l.with(func(o *lookUpOut) {
		o.Devices, o.DevicesOf = all[:min(len(all), entityShown)], shownOf(len(all), more)
		o.Known = o.Known || len(all) > 0
	})
	return nil
}

// atMost reads a list up to what is counted, and says whether it goes on.
func atMost[T, V any](found iter.Seq2[T, error], view func(T) V) ([]V, bool, error) {
	all := []V{}
	for row, err := range found {
		if err != nil {
			return all, false, err
		}
		if len(all) == entityRead {
			return all, true, nil
		}
		all = append(all, view(row))
	}
	return all, false, nil
}

// shownOf says how many there are and how many of them are shown.
func shownOf(n int, more bool) string {
	switch {
	case more:
		return fmt.Sprintf("%d of the first %d, and there are more", entityShown, n)
	case n > entityShown:
		return fmt.Sprintf("%d of %d", entityShown, n)
	}
	return fmt.Sprintf("%d", n)
}
