package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	maxScans   = 100_000
	maxThreats = 100_000
	maxEntries = 300_000 // of all lists of threats together: each scan has one
)

// collector makes one of what a report tells twice.
type collector struct {
	scans      []Scan
	places     map[scanKey]int
	mentions   map[mention]struct{}
	entries    int // of lists of threats
	threats    roster
	quarantine roster
}

// scanKey is what makes two accounts those of the same scan. The end belongs to it only when there is no start: scans without
// a start would else all be one.
type scanKey struct {
	start, end int64
	kind       string
}

// mention is a threat that a scan names. Ids are compared without case.
type mention struct {
	scan int
	id   string
}

func newCollector() collector {
	return collector{places: map[scanKey]int{}, mentions: map[mention]struct{}{}, threats: newRoster(), quarantine: newRoster()}
}

func tooMany(what string, limit int) error {
	return &Error{Fault: FaultTooLarge, Text: fmt.Sprintf("the report tells of more than %d %s: it was not read on; look at the node itself", limit, what)}
}

func (c *collector) addScan(s Scan) error {
	key := scanKey{start: s.StartMS, kind: strings.ToLower(s.Type)}
	if s.StartMS == 0 {
		key.end = s.EndMS
	}
	place, known := c.places[key]
	switch {
	case known:
		c.scans[place].merge(s)
	case len(c.scans) == maxScans:
		return tooMany("scans", maxScans)
	default:
		place = len(c.scans)
		c.places[key] = place
		c.scans = append(c.scans, s)
		c.scans[place].Threats = nil
	}
	for _, id := range s.Threats {
		c.mention(place, id)
	}
	return nil
}

// mention adds a threat to a scan that does not name it yet.
func (c *collector) mention(place int, id string) {
	key := mention{place, strings.ToLower(id)}
	if _, known := c.mentions[key]; !known {
		c.mentions[key] = struct{}{}
		c.scans[place].Threats = append(c.scans[place].Threats, id)
	}
}

// merge adds another account of the same scan. Where they differ the later end counts with its state; at the same end, not
// to have succeeded counts, because the other may be wrong.
func (s *Scan) merge(other Scan) {
	if other.State != "" && (s.State == "" || later(other, *s)) {
		s.State = other.State
	}
	if other.EndMS > s.EndMS {
		s.EndMS, s.End = other.EndMS, other.End
	}
	s.Files = max(s.Files, other.Files)
}

func later(a, b Scan) bool {
	if a.EndMS != b.EndMS {
		return a.EndMS > b.EndMS
	}
	good := func(s Scan) int {
		if s.State == "succeeded" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(good(b), good(a)), cmp.Compare(b.State, a.State)) > 0
}

// roster is a list of threats, each once.
type roster struct {
	list   []Threat
	latest []int64 // of each, as in [finding]
	places map[threatKey]int
}

// threatKey is the tracking id; where there is none, name and first path have to do.
type threatKey struct{ id, name, path string }

func newRoster() roster { return roster{places: map[threatKey]int{}} }

func (t *Threat) key() threatKey {
	if t.TrackingID != "" {
		return threatKey{id: strings.ToLower(t.TrackingID)}
	}
	key := threatKey{name: t.Name}
	if len(t.Paths) > 0 {
		key.path = t.Paths[0]
	}
	return key
}

func (r *roster) add(f finding) error {
	key := f.key()
	if place, known := r.places[key]; known {
		have := finding{Threat: r.list[place], latest: r.latest[place]}
		have.merge(f)
		r.list[place], r.latest[place] = have.Threat, have.latest
		return nil
	}
	if len(r.list) == maxThreats {
		return tooMany("threats", maxThreats)
	}
	r.places[key] = len(r.list)
	r.list, r.latest = append(r.list, f.Threat), append(r.latest, f.latest)
	return nil
}

// finish puts all into the report, the latest first.
func (c *collector) finish(report *Report) error {
	if err := c.resolve(); err != nil {
		return err
	}
	if report.Scans = c.scans; report.Scans == nil {
		report.Scans = []Scan{}
	}
	slices.SortFunc(report.Scans, func(a, b Scan) int {
		return cmp.Or(cmp.Compare(b.StartMS, a.StartMS), cmp.Compare(b.EndMS, a.EndMS), cmp.Compare(a.Type, b.Type))
	})
	report.Threats, report.Quarantine = c.threats.sorted(), c.quarantine.sorted()
	return nil
}

// resolve makes a threat of every id that a scan names and nothing else tells of. The quarantine may know more of it.
func (c *collector) resolve() error {
	named := map[string]struct{}{"": {}}
	for i := range c.threats.list {
		named[c.threats.list[i].Name] = struct{}{}
	}
	for i := range c.scans {
		for _, id := range c.scans[i].Threats {
			if _, known := named[id]; known {
				continue
			}
			f := finding{Threat: Threat{TrackingID: id}, latest: -1}
			if _, known := c.threats.places[f.key()]; known {
				continue
			}
			if place, known := c.quarantine.places[f.key()]; known {
				f.Threat = c.quarantine.list[place]
			}
			if err := c.threats.add(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *roster) sorted() []Threat {
	if r.list == nil {
		return []Threat{}
	}
	slices.SortStableFunc(r.list, func(a, b Threat) int {
		return cmp.Or(b.Last.Compare(a.Last), b.First.Compare(a.First), cmp.Compare(a.TrackingID, b.TrackingID), cmp.Compare(a.Name, b.Name))
	})
	return r.list
}
