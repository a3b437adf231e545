package store

import (
	"context"
	"maps"
	"slices"
)

// boxAt is the state of the time-box of one step.
type boxAt struct {
	at    spot
	state string
}

// timeboxes compares the time-boxes of a range of requests with the last row that the audit has of each: one that is closed
// by hand would let what it is about stay in force for ever.
func (v *verification) timeboxes(ctx context.Context, q querier, said map[string]*saying, span string, args []any) error {
	list, err := collect(ctx, q, func(row scanner) (b boxAt, err error) {
		err = row.Scan(&b.at.request, &b.at.step, &b.state)
		return b, err
	}, "SELECT request_id, idx, state FROM timeboxes"+span+" ORDER BY request_id, idx", args...)
	if err != nil {
		return err
	}
	have := make(map[spot]bool, len(list))
	for _, b := range list {
		have[b.at] = true
		want := ""
		if s := said[b.at.request]; s != nil {
			want = s.boxes[b.at.step]
		}
		switch want {
		case b.state:
		case "":
			v.fault("the time-box of %s is not in the audit: it was written straight into the table", b.at)
		default:
			v.fault("the time-box of %s is %q, but the audit says %q: its state was written straight into the table", b.at, clip(b.state), clip(want))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		for _, step := range slices.Sorted(maps.Keys(said[id].boxes)) {
			if at := (spot{id, step}); !have[at] {
				v.fault("the time-box of %s is in the audit but not in the table: it was removed", at)
			}
		}
	}
	return nil
}
