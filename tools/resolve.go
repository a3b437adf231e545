package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// lookups is how many devices are looked up at the same time; the API's budget per minute is small.
const lookups = 4

// maxCandidates bounds how many candidates a refusal names.
const maxCandidates = 10

// resolve finds exactly one device for every reference, or refuses all of them with everything that is wrong. A device
// that is named twice is taken once. The order is that of the references.
func (s *session) resolve(ctx context.Context, texts []string) ([]*mdecore.Machine, error) {
	refs, err := s.parseAll(texts)
	if err != nil {
		return nil, err
	}
	found, err := s.findAll(ctx, refs)
	if err != nil {
		return nil, err
	}
	var problems Problems
	var devices []*mdecore.Machine
	taken := make(map[string]bool, len(refs))
	for i, r := range refs {
		if len(found[i]) != 1 {
			problems = append(problems, notOne(r, found[i]))
			continue
		}
		if m := found[i][0]; !taken[m.ID] {
			taken[m.ID] = true
			devices = append(devices, m)
		}
	}
	if len(problems) > 0 {
		return nil, approvals.Refuse(kindOf(found), problems, "Nothing was sent: %s", problems.Error())
	}
	return devices, nil
}

// kindOf tells unknown devices from ambiguous ones: the first must be looked for, the second chosen.
func kindOf(found [][]*mdecore.Machine) approvals.Kind {
	for _, f := range found {
		if len(f) > 1 {
			return approvals.KindInvalid
		}
	}
	return approvals.KindNotFound
}

// parseAll understands the references before anything is asked of the tenant, and applies the cap.
func (s *session) parseAll(texts []string) ([]ref, error) {
	var refs []ref
	var problems Problems
	seen := make(map[ref]bool, len(texts))
	for _, t := range texts {
		r, err := parseRef(t)
		if err != nil {
			problems = append(problems, problem("devices", "%s", err.Error()))
			continue
		}
		if !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	switch {
	case len(problems) > 0:
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s", problems.Error())
	case len(refs) == 0:
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: no device is named")
	case len(refs) > s.maxDevices:
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %d devices are named and one call may act on at most %d; "+
			"ask for fewer", len(refs), s.maxDevices)
	}
	return refs, nil
}

// find lists every device that a reference can mean. Ids are in lower case from here on, so that one device in two
// spellings can't become two steps.
func (s *session) find(ctx context.Context, r ref) ([]*mdecore.Machine, error) {
	ms, err := s.candidates(ctx, r)
	if err != nil {
		return nil, err
	}
	return distinct(ms)
}

// candidates asks the tenant for the devices of a reference. None is not an error.
func (s *session) candidates(ctx context.Context, r ref) ([]*mdecore.Machine, error) {
	switch r.kind {
	case refID:
		m, err := s.reader.GetMachine(ctx, r.text)
		if mdecore.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(m.ID, r.text) { // the API also takes names here; an id must mean itself
			return nil, nil
		}
		return []*mdecore.Machine{m}, nil
	case refAAD:
		ms, err := orNone(s.reader.FindMachinesByAadDeviceID(ctx, r.text))
		return slices.DeleteFunc(ms, func(m *mdecore.Machine) bool { return !strings.EqualFold(m.AadDeviceID, r.text) }), err
	case refIP:
		return orNone(s.reader.FindMachinesByIP(ctx, r.ip, s.clock()))
	case refName:
		ms, err := orNone(s.reader.FindMachinesByName(ctx, r.text))
		return slices.DeleteFunc(ms, func(m *mdecore.Machine) bool { return !r.matches(m.ComputerDNSName) }), err
	}
	return nil, approvals.Refuse(approvals.KindInvalid, nil, "%s is not a device reference", quoted(r.text, 60))
}

// orNone takes the API's 404 for what it is on a list: there is no such device.
func orNone(ms []*mdecore.Machine, err error) ([]*mdecore.Machine, error) {
	if mdecore.IsNotFound(err) {
		return nil, nil
	}
	return ms, err
}

// distinct drops repeats, which a list that is paged while it changes can hold, and refuses answers without an id.
func distinct(ms []*mdecore.Machine) ([]*mdecore.Machine, error) {
	var out []*mdecore.Machine
	seen := make(map[string]bool, len(ms))
	for _, m := range ms {
		if !deviceText().MatchString(m.ID) {
			return nil, approvals.Refuse(approvals.KindNoAnswer, nil, "Defender named a device without a valid id (%s); nothing was done", quoted(m.ID, 60))
		}
		m.ID = strings.ToLower(m.ID)
		if !seen[m.ID] {
			seen[m.ID] = true
			out = append(out, m)
		}
	}
	return out, nil
}

// notOne is the refusal of a reference that no device, or more than one, answers to. A duplicate that is inactive is
// not passed over: which one is meant is for the caller to say.
func notOne(r ref, found []*mdecore.Machine) Problem {
	if len(found) == 0 {
		return problem("", "no device answers to %s%s", quoted(r.text, 60), hint(r.kind))
	}
	slices.SortFunc(found, func(a, b *mdecore.Machine) int { return b.LastSeen.Compare(a.LastSeen.Time) })
	var lines strings.Builder
	for i, m := range found {
		if i == maxCandidates {
			fmt.Fprintf(&lines, "\n- and %d more", len(found)-i)
			break
		}
		lines.WriteString("\n- " + viewOfDevice(m).line())
	}
	return problem("", "%s is ambiguous, %d devices answer to it. Call again with the id of the one you mean:%s",
		quoted(r.text, 60), len(found), lines.String())
}

func hint(k refKind) string {
	switch k {
	case refIP:
		return " as an address it had in the last 15 minutes; name it by DNS name or id"
	case refName:
		return "; find_devices searches by the start of a name"
	case refID, refAAD:
		return " in this tenant; find_devices searches"
	}
	return ""
}
