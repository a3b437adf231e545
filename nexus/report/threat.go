package report

import (
	"slices"
	"strings"
)

const maxPaths = 20

// finding is a threat while it is read and merged.
type finding struct {
	Threat
	latest int64 // the highest key of its history, -1 for none
	bare   bool  // an id alone, which may as well be a name
}

// label is what a scan calls a threat by.
func (f *finding) label() string {
	if f.TrackingID != "" {
		return f.TrackingID
	}
	return f.Name
}

// threatEntry reads an entry of a list of threats: an object, or an id alone. null is no entry; one that can't be read is
// an entry without anything, because something was found.
func (d *decoder) threatEntry() (*finding, error) {
	c, err := d.peek()
	if err != nil {
		return nil, err
	}
	if c == 'n' {
		return nil, d.skip()
	}
	if d.entries++; d.entries > maxEntries {
		return nil, tooMany("entries in its lists of threats", maxEntries)
	}
	f := &finding{latest: -1}
	if c != '{' {
		err = d.textField(&f.TrackingID, maxName)
		f.bare = f.TrackingID != ""
		return f, err
	}
	fallback := ""
	err = d.object(func(n name) error { return d.threatField(f, &fallback, n) })
	if f.TrackingID == "" {
		f.TrackingID = fallback
	}
	return f, err
}

// threatField reads a field of an entry {threat: {...}, history: [...]}, of the threat in it, or of an entry that is the
// threat itself. What is not documented of it is its path: any field whose name speaks of one is taken.
func (d *decoder) threatField(f *finding, fallback *string, n name) error {
	switch n.folded {
	case "threat":
		return d.in('{', "", func() error {
			return d.object(func(n name) error { return d.threatField(f, fallback, n) })
		})
	case "trackingid":
		return d.textField(&f.TrackingID, maxName)
	case "id", "value", "$type":
		return d.textField(fallback, maxName)
	case "name":
		return d.textField(&f.Name, maxName)
	case "type":
		return d.wordField(&f.Type)
	case "severity":
		return d.wordField(&f.Severity)
	case "history":
		return d.in('[', "", func() error { return d.array(func() error { return d.event(f) }) })
	}
	if holdsPath(n.folded) {
		return d.paths(f)
	}
	return d.unknown()
}

// event reads an entry of a history: its key is the time in milliseconds, its value the status from then on.
func (d *decoder) event(f *finding) error {
	return d.in('{', "", func() error {
		var key int64
		var status string
		err := d.object(func(n name) error {
			switch n.folded {
			case "key":
				return d.timeField(&key)
			case "value":
				return d.wordField(&status)
			}
			return d.unknown()
		})
		if err == nil {
			f.note(key, status)
		}
		return err
	})
}

// note adds an event. Of two at the same time the one that comes later counts.
func (f *finding) note(ms int64, status string) {
	if status != "" && ms >= f.latest {
		f.latest, f.Status = ms, status
	}
	if ms == 0 {
		return
	}
	at := timeOf(ms)
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
}

// holdsPath tells whether a field's name speaks of a path, and not of something else about a file.
func holdsPath(folded string) bool {
	for _, other := range []string{"hash", "sha1", "sha256", "md5", "size", "type", "count", "id", "time", "profile"} {
		if strings.HasSuffix(folded, other) {
			return false
		}
	}
	return strings.Contains(folded, "path") || strings.Contains(folded, "resource") || strings.Contains(folded, "file")
}

// paths reads one path, or all in a list or object.
func (d *decoder) paths(f *finding) error {
	c, err := d.peek()
	switch {
	case err != nil:
		return err
	case c == '[':
		return d.array(func() error { return d.paths(f) })
	case c == '{':
		return d.object(func(n name) error {
			if n.folded == "value" || n.folded == "name" || holdsPath(n.folded) {
				return d.paths(f)
			}
			return d.unknown()
		})
	case c != '"':
		return d.unknown()
	}
	var path string
	if err := d.textField(&path, maxPath); err != nil {
		return err
	}
	if !f.addPath(path) {
		d.cut()
	}
	return nil
}

// addPath reports false when there are too many.
func (f *finding) addPath(path string) bool {
	path = strings.TrimPrefix(path, "file://")
	if path == "" || slices.Contains(f.Paths, path) {
		return true
	}
	if len(f.Paths) == maxPaths {
		return false
	}
	f.Paths = append(f.Paths, path)
	return true
}

// merge adds what another account of the same threat tells.
func (f *finding) merge(other finding) {
	for _, text := range []struct {
		into *string
		from string
	}{{&f.Name, other.Name}, {&f.Type, other.Type}, {&f.Severity, other.Severity}} {
		if *text.into == "" {
			*text.into = text.from
		}
	}
	for _, path := range other.Paths {
		f.addPath(path)
	}
	if other.latest > f.latest || f.Status == "" {
		f.latest, f.Status = max(f.latest, other.latest), other.Status
	}
	if f.First.IsZero() || !other.First.IsZero() && other.First.Before(f.First) {
		f.First = other.First
	}
	if other.Last.After(f.Last) {
		f.Last = other.Last
	}
}
