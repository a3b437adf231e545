package tools

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	// fewLookups is up to how many devices are looked up one by one. More are asked for many at a time, because the budget of
	// calls per minute is smaller than a fleet.
	fewLookups = 4
	// maxBatch bounds one such question, in characters of its filter, so that its address stays one that every proxy takes.
	maxBatch = 3000
)

// findAll lists, for every reference, every device that it can mean. What the answers hold is compared with the references
// here, whatever was asked for: a filter that the service did not apply must not choose a device.
func (s *session) findAll(ctx context.Context, refs []ref) ([][]*mdecore.Machine, error) {
	found := make([][]*mdecore.Machine, len(refs))
	single, batches := batched(refs)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	lists := make([][]*mdecore.Machine, len(batches))
	for i, b := range batches {
		g.Go(func() (err error) {
			lists[i], err = s.list(gctx, b)
			return err
		})
	}
	for _, i := range single {
		g.Go(func() (err error) {
			found[i], err = s.find(gctx, refs[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return found, assign(refs, slices.Concat(lists...), found)
}

// batched divides references into those that are looked up one by one, by their place, and filters for all others.
func batched(refs []ref) (single []int, filters []mdecore.Filter) {
	byKind := map[refKind][]string{}
	for i, r := range refs {
		if r.kind == refIP || len(refs) <= fewLookups {
			single = append(single, i)
			continue
		}
		byKind[r.kind] = append(byKind[r.kind], r.text)
	}
	for _, k := range []refKind{refID, refAAD, refName} {
		for texts := range chunks(byKind[k], maxBatch) {
			filters = append(filters, filterOf(k, texts))
		}
	}
	return single, filters
}

// chunks divides texts so that each piece makes a filter of at most limit characters.
func chunks(texts []string, limit int) func(func([]string) bool) {
	const around = 40 // what a filter has beside the text
	return func(yield func([]string) bool) {
		from, size := 0, 0
		for i, t := range texts {
			if size += len(t) + around; size > limit && i > from {
				if !yield(texts[from:i]) {
					return
				}
				from, size = i, len(t)+around
			}
		}
		if from < len(texts) {
			yield(texts[from:])
		}
	}
}

func filterOf(k refKind, texts []string) mdecore.Filter {
	switch k {
	case refID:
		return mdecore.In("id", texts...)
	case refAAD:
		ids := make([]mdecore.GUID, len(texts))
		for i, t := range texts {
			ids[i] = mdecore.GUID(t)
		}
		return mdecore.In("aadDeviceId", ids...)
	case refName, refIP: // an address is asked for alone
	}
	names := make([]mdecore.Filter, len(texts))
	for i, t := range texts {
		names[i] = mdecore.StartsWith("computerDnsName", t)
	}
	return mdecore.Or(names...)
}

// list reads the whole answer to one filter.
func (s *session) list(ctx context.Context, f mdecore.Filter) ([]*mdecore.Machine, error) {
	var out []*mdecore.Machine
	for m, err := range s.reader.ListMachines(ctx, mdecore.Query{Filter: f}) {
		if mdecore.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// assign gives every reference the machines that answer to it.
func assign(refs []ref, machines []*mdecore.Machine, found [][]*mdecore.Machine) error {
	machines, err := distinct(machines)
	if err != nil {
		return err
	}
	at := make(map[string][]int, len(refs))
	for i, r := range refs {
		if found[i] == nil {
			at[r.text] = append(at[r.text], i)
		}
	}
	for _, m := range machines {
		name := asciiLower(strings.TrimSuffix(m.ComputerDNSName, "."))
		first, _, _ := strings.Cut(name, ".")
		keys := []string{m.ID, strings.ToLower(m.AadDeviceID), name, first}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			for _, i := range at[key] {
				if refs[i].answered(m) {
					found[i] = append(found[i], m)
				}
			}
		}
	}
	return nil
}

// answered reports whether a machine is what a reference means. An address is not decided by what a machine says.
func (r ref) answered(m *mdecore.Machine) bool {
	switch r.kind {
	case refID:
		return m.ID == r.text
	case refAAD:
		return strings.EqualFold(m.AadDeviceID, r.text)
	case refName:
		return r.matches(m.ComputerDNSName)
	case refIP:
	}
	return false
}
