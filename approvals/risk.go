package approvals

import "slices"

// Risk says what a tool could do to the tenant if it ran wrongly. Its zero value is invalid on purpose, so that nobody
// can forget to state it.
type Risk string

// The risks, mildest first.
const (
	RiskRead     Risk = "read"     // changes nothing
	RiskAnnotate Risk = "annotate" // tags, device value, alert and incident updates
	RiskCollect  Risk = "collect"  // scans, packages, files and the reading of collected evidence
	RiskContain  Risk = "contain"  // takes a device, a file or an indicator out of use
	RiskExpose   Risk = "expose"   // gives it back
	RiskExecute  Risk = "execute"  // runs or places code on devices
	RiskDestroy  Risk = "destroy"  // cannot be undone
	RiskOff      Risk = "off"      // denied until switched on
)

// Risks lists every valid risk, mildest first.
func Risks() []Risk {
	return []Risk{RiskRead, RiskAnnotate, RiskCollect, RiskContain, RiskExpose, RiskExecute, RiskDestroy, RiskOff}
}

// Valid reports whether r is one of the listed risks; an unknown one must lead to no action.
func (r Risk) Valid() bool { return slices.Contains(Risks(), r) }
