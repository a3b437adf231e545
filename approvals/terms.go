package approvals

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Terms are what policy asks of a request besides its quorum. They are part of the digest: an approval is for them too.
type Terms struct {
	// RemindAfter is when, after the request was made, its approvers are reminded; zero means never.
	RemindAfter time.Duration `json:"remind_after,omitempty"`
	// Wave says in which portions the steps are sent; its zero value sends them one after the other without a stop.
	Wave Wave `json:"wave,omitzero"`
	// BreakGlass says that the requester used the emergency way: their own signed yes stands for everybody's.
	BreakGlass bool `json:"break_glass,omitempty"`
	// ClientConsent says that the requester said yes in their own MCP client: its word, and no vote. It confirms annotations
	// and nothing else; see Consentable.
	ClientConsent bool `json:"client_consent,omitempty"`
}

// Wave cuts the steps of a plan into portions of Width. A portion is sent when the one before it has ended, or when Wait
// has passed since its last step was sent. When more than StopOver percent of the steps that have ended did not succeed,
// nothing more is sent until people say so.
type Wave struct {
	Width    int           `json:"width"`
	StopOver int           `json:"stop_over"`
	Wait     time.Duration `json:"wait"`
}

// TimeBox says that the steps of a plan are undone after For, by a request of its own that needs no further approval:
// whoever approved the plan approved that too.
type TimeBox struct {
	// For runs from the moment at which the remote action of a step succeeded.
	For time.Duration `json:"for"`
	// Tool and Risk are those of the tool that undoes it. Policy is asked about both tools, and the stricter answer counts.
	Tool string `json:"tool"`
	Risk Risk   `json:"risk"`
}

// Limits bound what one requester may keep waiting, so that nobody wears approvers down. A zero value means no limit.
type Limits struct {
	// Pending is how many requests of one person may wait for approval at a time.
	Pending int
	// CoolDown is how long after a denial the same plan is refused; after the third denial of a person's requests within
	// an hour everything gated that they ask for is refused for as long.
	CoolDown time.Duration
}

// ToolInfo is what the gate must know about a tool: its word is compared with what plans say.
type ToolInfo struct {
	Risk Risk
	// Raised is a higher risk that some plans of the tool state, by what they would do; empty when there is none.
	Raised Risk
	// Toolset can be frozen as a whole.
	Toolset string
	// Through says that the tool makes plans of other tools, and that policy is asked about those and never about it.
	Through bool
}

// Risks are the risks that plans of the tool may state.
func (i ToolInfo) Risks() []Risk {
	if i.Raised == "" {
		return []Risk{i.Risk}
	}
	return []Risk{i.Risk, i.Raised}
}

// InWords names the risks for people.
func (i ToolInfo) InWords() string {
	if i.Raised == "" {
		return strconv.Quote(string(i.Risk))
	}
	return fmt.Sprintf("%q, or %q of some plans", i.Risk, i.Raised)
}

// States reports whether a plan of the tool may state that risk.
func (i ToolInfo) States(r Risk) bool { return slices.Contains(i.Risks(), r) }
