package tools

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// maxActionsRead bounds how many machine actions list_actions reads to sort them: one page of the API.
const maxActionsRead = 10_000

type listActionsIn struct {
	Device string `json:"device,omitempty" jsonschema:"Only of this device" form:"device"`
	Status string `json:"status,omitempty" jsonschema:"Status" enum:"Pending,InProgress,Succeeded,Failed,TimeOut,Cancelled"`
	Type   string `json:"type,omitempty" jsonschema:"e.g. Isolate" form:"word"`
	Since  string `json:"since,omitempty" jsonschema:"90m, 24h, 7d or a time" form:"age" default:"7d"`
	Ours   bool   `json:"ours,omitempty" jsonschema:"Only what mde-ops started"`
	listing
}

type listActionsOut struct {
	Actions []actionView `json:"actions" jsonschema:"machine actions, newest first"`
	paged
}

func listActionsTool() declaration {
	return spec[listActionsIn, listActionsOut]{
		name: "list_actions", title: "List machine actions", toolset: Response, surface: Default, risk: approvals.RiskRead,
		summary:    "List machine actions (isolations, scans, live response): by whom, and how they went.",
		positional: []string{"device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "actions", read: readActions,
	}
}

func readActions(ctx context.Context, s *session, in listActionsIn) (listActionsOut, string, error) {
	since, err := parseAge(in.Since, s.clock())
	if err != nil {
		return listActionsOut{}, "", approvals.Refuse(approvals.KindInvalid, err, "since: %s", err.Error())
	}
	if text := oneOf(&in.Type, actionWords()); text != "" {
		return listActionsOut{}, "", approvals.Refuse(approvals.KindInvalid, nil, "type: %s", text)
	}
	var f filter
	if in.Device != "" {
		found, err := s.resolve(ctx, []string{in.Device})
		if err != nil {
			return listActionsOut{}, "", err
		}
		f.eq("machineId", found[0].ID)
	}
	f.eq("status", in.Status)
	f.eq("type", in.Type)
	f.since("creationDateTimeUtc", since)
	all, whole, err := s.newestActions(ctx, f.String())
	if err != nil {
		return listActionsOut{}, "", err
	}
	var out listActionsOut
	out.Actions, out.paged, err = s.actionRows(ctx, in, all)
	if !whole {
		out.Note = fmt.Sprintf("more than %d match and only those were read: choose a device, a type or a later since", maxActionsRead)
	}
	return out, out.text(), err
}

// actionWords are the documented types (machineaction.md).
func actionWords() []string {
	return []string{
		"RunAntiVirusScan", "Offboard", "LiveResponse", "CollectInvestigationPackage", "Isolate", "Unisolate", "StopAndQuarantineFile",
		"RestrictCodeExecution", "UnrestrictCodeExecution",
	}
}

// newestActions reads the machine actions to which a filter applies, newest first, because the API gives them in no stated
// order. The second answer is false when there are more than are read.
func (s *session) newestActions(ctx context.Context, odata string) ([]*mdecore.MachineAction, bool, error) {
	query := mdecore.Query{Filter: mdecore.Filter(odata), Page: mdecore.Page{Top: maxActionsRead + 1}}
	var all []*mdecore.MachineAction
	for a, err := range s.reader.ListMachineActions(ctx, query) {
		if mdecore.IsNotFound(err) && len(all) == 0 {
			break
		}
		if err != nil {
			return nil, false, err
		}
		all = append(all, a)
	}
	whole := len(all) <= maxActionsRead
	all = all[:min(len(all), maxActionsRead)]
	slices.SortStableFunc(all, newestAction)
	return all, whole, nil
}

// actionRows draws the page, and finds out of which of our requests each action is. That is asked only of those whose comment
// says so: our store decides, but a comment without our tag is never ours.
func (s *session) actionRows(ctx context.Context, in listActionsIn, all []*mdecore.MachineAction) ([]actionView, paged, error) {
	var from iter.Seq2[*actionView, error] = func(yield func(*actionView, error) bool) {
		for _, a := range all {
			if in.Ours && !tagged(a) {
				continue
			}
			v := viewOfAction(a)
			v.DeviceID, v.Device = clean(a.MachineID, 60), clean(a.ComputerDNSName, 260)
			var err error
			v.Request, err = s.requestOf(ctx, a)
			if err == nil && in.Ours && v.Request == "" {
				continue
			}
			if !yield(&v, err) {
				return
			}
		}
	}
	return allRows(s, in.listing, from, func(v *actionView) actionView { return *v })
}

// tagged reports whether an action's comment begins like ours do. Anybody can write such a comment.
func tagged(a *mdecore.MachineAction) bool { return strings.HasPrefix(a.RequestorComment, "[mde-ops:") }

// requestOf is the id of our request that started an action; "" when none did.
func (s *session) requestOf(ctx context.Context, a *mdecore.MachineAction) (string, error) {
	if !tagged(a) {
		return "", nil
	}
	whose, err := ownerOf(ctx, s.gate, a)
	return whose.Request, err
}

func (o listActionsOut) text() string {
	if o.Count == 0 {
		return strings.TrimSpace("No machine action matches. " + o.Note)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", counted(o.Count, "machine action", o.Cursor != ""))
	for i, a := range o.Actions {
		if i == 20 {
			fmt.Fprintf(&b, "\n- and %d more in the structured result", o.Count-i)
			break
		}
		b.WriteString("\n- " + a.line())
	}
	if o.Note != "" {
		b.WriteString("\n" + o.Note)
	}
	return b.String()
}

// line is a machine action in one line, for texts.
func (a actionView) line() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(a.Type + " " + a.Scope))
	if a.Device != "" || a.DeviceID != "" {
		b.WriteString(" on " + quoted(orElse(a.Device, a.DeviceID), 80))
	}
	fmt.Fprintf(&b, " is %s since %s (id %s)", a.Status, when(a.CreatedAt), a.ID)
	if a.Request != "" {
		b.WriteString(", of request " + a.Request)
	} else if a.Requestor != "" {
		b.WriteString(", asked by " + quoted(a.Requestor, 80))
	}
	return b.String()
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
