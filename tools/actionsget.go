package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type getActionIn struct {
	ActionID string `json:"action_id" jsonschema:"Machine action id" form:"guid"`
}

type getActionOut struct {
	Action    actionView    `json:"action" jsonschema:"the machine action"`
	Ended     bool          `json:"ended" jsonschema:"its status is final"`
	Failure   string        `json:"failure,omitempty" jsonschema:"untrusted text"`
	UpdatedAt time.Time     `json:"updated_at,omitzero" schema:"omit" jsonschema:"last change"`
	Title     string        `json:"title,omitempty" schema:"omit" jsonschema:"untrusted text: title"`
	Source    string        `json:"source,omitempty" schema:"omit" jsonschema:"where it was asked"`
	File      string        `json:"file,omitempty" schema:"omit" jsonschema:"hash of the file that it is about"`
	Commands  []commandView `json:"commands,omitempty" schema:"omit" jsonschema:"live response commands"`
	Cancelled *cancellation `json:"cancelled,omitempty" schema:"omit" jsonschema:"who cancelled it"`
}

// commandView is one live response command; its parameters and errors are untrusted text.
type commandView struct {
	Index  int64    `json:"index"`
	Type   string   `json:"type"`
	Params []string `json:"params,omitempty"`
	Status string   `json:"status"`
	Errors []string `json:"errors,omitempty"`
}

// cancellation is who cancelled an action and why; untrusted text.
type cancellation struct {
	By      string    `json:"by"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

func getAction() declaration {
	return spec[getActionIn, getActionOut]{
		name: "get_action", title: "Get a machine action", toolset: Response, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Read one machine action: how far it is, its commands and errors, who cancelled it, and which request of ours started it.",
		positional: []string{"action_id"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readAction,
	}
}

func readAction(ctx context.Context, s *session, in getActionIn) (getActionOut, string, error) {
	id := strings.ToLower(in.ActionID)
	a, err := s.reader.GetMachineAction(ctx, id)
	if mdecore.IsNotFound(err) {
		return getActionOut{}, "", approvals.Refuse(approvals.KindNotFound, err, "there is no machine action %s in this tenant; list_actions gives the ids", id)
	}
	if err != nil {
		return getActionOut{}, "", err
	}
	out := getActionOut{
		Action: viewOfAction(a), Ended: a.Status.Terminal(), Failure: failureOf(a), UpdatedAt: a.LastUpdateDateTimeUTC.Time,
		Title: clean(a.Title, 200), Source: clean(a.RequestSource, 60),
	}
	out.Action.DeviceID, out.Action.Device = clean(a.MachineID, 60), clean(a.ComputerDNSName, 260)
	if out.Action.Request, err = s.requestOf(ctx, a); err != nil {
		return getActionOut{}, "", err
	}
	if f := a.RelatedFileInfo; f != nil {
		out.File = strings.TrimSpace(clean(string(f.FileIdentifierType), 20) + " " + clean(f.FileIdentifier, 80))
	}
	for i, c := range a.Commands {
		if i == 50 {
			break
		}
		out.Commands = append(out.Commands, viewOfCommand(c))
	}
	if a.CancellationRequestor != "" || a.CancellationComment != "" || !a.CancellationDateTimeUTC.IsZero() {
		out.Cancelled = &cancellation{clean(a.CancellationRequestor, 120), clean(a.CancellationComment, 300), a.CancellationDateTimeUTC.Time}
	}
	return out, out.text(len(a.Commands)), nil
}

func viewOfCommand(c mdecore.CommandStatus) commandView {
	v := commandView{Index: int64(c.Index), Status: clean(string(c.CommandStatus), 40)}
	for i, e := range c.Errors {
		if i == 10 {
			break
		}
		v.Errors = append(v.Errors, clean(e, 300))
	}
	if c.Command == nil {
		return v
	}
	v.Type = clean(string(c.Command.Type), 40)
	for i, p := range c.Command.Params {
		if i == 10 {
			break
		}
		v.Params = append(v.Params, clean(p.Key, 60)+"="+clean(p.Value, 300))
	}
	return v
}

// failureOf is what went wrong with an action, as far as it says.
func failureOf(a *mdecore.MachineAction) string {
	var parts []string
	switch a.Status {
	case mdecore.ActionTimeOut:
		parts = append(parts, "the device did not take it in time; it may be offline")
	case mdecore.ActionFailed:
		parts = append(parts, "it failed on the device")
	case mdecore.ActionPending, mdecore.ActionInProgress, mdecore.ActionSucceeded, mdecore.ActionCancelled:
	}
	if a.ErrorHResult != 0 {
		parts = append(parts, fmt.Sprintf("error 0x%08X", uint32(int64(a.ErrorHResult)&0xffffffff)))
	}
	for _, c := range a.Commands {
		for _, e := range c.Errors {
			if len(parts) < 5 {
				parts = append(parts, fmt.Sprintf("command %d: %s", c.Index, quoted(e, 200)))
			}
		}
	}
	return strings.Join(parts, "; ")
}

func (o getActionOut) text(commands int) string {
	var b strings.Builder
	b.WriteString(o.Action.line() + ".")
	if o.Failure != "" {
		b.WriteString(" Failure: " + o.Failure + ".")
	}
	if c := o.Cancelled; c != nil {
		b.WriteString(" Cancelled by " + quoted(c.By, 80) + ".")
	}
	for i, c := range o.Commands {
		if i == 15 {
			break
		}
		fmt.Fprintf(&b, "\n%d. %s %s", c.Index+1, c.Type, c.Status)
	}
	if commands > len(o.Commands) {
		fmt.Fprintf(&b, "\nOnly the first %d of %d commands are listed", len(o.Commands), commands)
	}
	if o.Action.Comment != "" {
		b.WriteString("\nComment: " + quoted(o.Action.Comment, 300))
	}
	return b.String()
}
