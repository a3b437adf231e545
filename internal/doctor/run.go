package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is how a thing is.
type Status string

// The statuses of findings.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, and somebody should look
	Fail Status = "fail" // something can't work
)

// Finding is what was found about one thing.
type Finding struct {
	Status Status `json:"status"`
	// What is the thing; the check's name where a check does not say.
	What string `json:"what"`
	// Found is what was found, in one line.
	Found string `json:"found"`
	// Fix says what to do; empty when nothing has to be done.
	Fix string `json:"fix,omitempty"`

	ends bool // what needs this check has nothing to look at, though nothing failed
}

// String is the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%-4s  %s: %s", f.Status, f.What, f.Found)
	if f.Fix != "" {
		text += "; " + f.Fix
	}
	return text
}

func good(format string, args ...any) Finding {
	return Finding{Status: OK, Found: fmt.Sprintf(format, args...)}
}

func warning(fix, format string, args ...any) Finding {
	return Finding{Status: Warn, Found: fmt.Sprintf(format, args...), Fix: fix}
}

func failure(fix, format string, args ...any) Finding {
	return Finding{Status: Fail, Found: fmt.Sprintf(format, args...), Fix: fix}
}

// about names the thing that a finding is about.
func (f Finding) about(what string) Finding {
	f.What = what
	return f
}

// ending leaves those that need the check nothing to look at.
func (f Finding) ending() Finding {
	f.ends = true
	return f
}

// Check looks at one thing.
type Check struct {
	Name string
	// Needs are the names of the checks whose failure leaves this one nothing to look at.
	Needs []string
	// Within is how long it may take; 15 s when zero.
	Within time.Duration
	// Run looks. It obeys its context, and what it found is one line or more.
	Run func(context.Context) []Finding
}

const (
	usualLimit = 15 * time.Second
	// lateness is how long a check that was told to end may take to say what it found until then.
	lateness = 2 * time.Second
)

// outcome is a check's end.
type outcome struct {
	done  chan struct{}
	found []Finding
}

func (o *outcome) failed() bool {
	return slices.ContainsFunc(o.found, func(f Finding) bool { return f.Status == Fail || f.ends }) || len(o.found) == 0
}

// Run runs checks at once, each as soon as those that it needs have ended, and calls show for each finding in the order of
// the checks. A check that needs a failed one is not run, and neither is what needs that one.
func Run(ctx context.Context, checks []Check, show func(Finding)) []Finding {
	outcomes := make(map[string]*outcome, len(checks))
	for _, c := range checks {
		outcomes[c.Name] = &outcome{done: make(chan struct{})}
	}
	for _, c := range checks {
		go func() {
			o := outcomes[c.Name]
			defer close(o.done)
			if need := c.wait(ctx, outcomes); need != "" {
				o.found = []Finding{warning("mend that first", "not looked at, because of %s", need).ending()}
				return
			}
			o.found = c.run(ctx)
		}()
	}
	var all []Finding
	for _, c := range checks {
		o := outcomes[c.Name]
		<-o.done
		for _, f := range o.found {
			f = f.in(c.Name)
			show(f)
			all = append(all, f)
		}
	}
	return all
}

// wait waits for what the check needs, and names the first of it that failed or was not looked at either.
func (c Check) wait(ctx context.Context, outcomes map[string]*outcome) string {
	for _, name := range c.Needs {
		need, ok := outcomes[name]
		if !ok {
			return name
		}
		select {
		case <-need.done:
		case <-ctx.Done():
			return name
		}
		if need.failed() {
			return name
		}
	}
	return ""
}

// run runs the check for as long as it may take.
func (c Check) run(ctx context.Context) []Finding {
	within := c.Within
	if within <= 0 {
		within = usualLimit
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer := make(chan []Finding, 1)
	go func() { answer <- c.Run(limited) }()
	select {
	case found := <-answer:
		return found
	case <-limited.Done():
	}
	select {
	case found := <-answer:
		return found
	case <-time.After(lateness):
		return []Finding{failure("try again, and look at what it waits for", "no answer within %s", within)}
	}
}

// in makes a finding of a check fit for a line: it has a name, and draws nothing on a terminal.
func (f Finding) in(check string) Finding {
	if f.What == "" {
		f.What = check
	}
	f.What, f.Found, f.Fix = line(f.What), line(f.Found), line(f.Fix)
	return f
}

// line makes one line of a text, without characters that draw.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff", r):
			return '�'
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// Failed counts the findings that something can't work.
func Failed(found []Finding) int { return count(found, Fail) }

func count(found []Finding, s Status) (n int) {
	for _, f := range found {
		if f.Status == s {
			n++
		}
	}
	return n
}
