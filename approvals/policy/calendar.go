package policy

import (
	"slices"
	"time"
	_ "time/tzdata" // zones must mean the same on a machine that has none of its own

	"github.com/mde-ops/mde-ops/approvals"
)

// calendar is a span of the day on some days of the week, in a zone.
type calendar struct {
	Zone string         `json:"zone"`
	Days []time.Weekday `json:"days"`
	// From and To are minutes after midnight. When To is not after From the span ends on the next day.
	From int `json:"from"`
	To   int `json:"to"`

	loc *time.Location
}

// open reports whether the span holds the moment by the clock on the wall. The hours after midnight belong to the day on
// which the span began.
func (c *calendar) open(at time.Time) bool {
	local := at.In(c.loc)
	minute, day := local.Hour()*60+local.Minute(), local.Weekday()
	if c.From < c.To {
		return slices.Contains(c.Days, day) && minute >= c.From && minute < c.To
	}
	yesterday := (day + 6) % 7
	return minute >= c.From && slices.Contains(c.Days, day) || minute < c.To && slices.Contains(c.Days, yesterday)
}

// days are the names of the days as files write them, Sunday first as in time.Weekday.
func days() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// scope says which calls a section of the file is about: those of its tools and risks, and all that act when it names none.
type scope struct {
	Tools []string         `json:"tools,omitempty"`
	Risks []approvals.Risk `json:"risks,omitempty"`
}

func (s scope) covers(c *approvals.Call) bool {
	if len(s.Tools) == 0 && len(s.Risks) == 0 {
		return c.Risk != approvals.RiskRead
	}
	return (len(s.Tools) == 0 || slices.Contains(s.Tools, c.Tool)) && (len(s.Risks) == 0 || slices.Contains(s.Risks, c.Risk))
}
