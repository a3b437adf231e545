package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals/audit"
)

// evidence opens the evidence store to read it. A folder that is not there is not made.
func (d *Doctor) evidence(ctx context.Context) []Finding {
	place := d.cfg.Evidence.Place
	name := place
	if before, _, query := strings.Cut(place, "?"); query {
		name = before
	}
	if place == "" {
		name = "the folder beside the store"
	} else if _, err := os.Stat(strings.TrimPrefix(place, "file://")); !strings.HasPrefix(place, "azblob://") && errors.Is(err, fs.ErrNotExist) {
		return []Finding{good("%s is not there yet; it is made when it is used first", name)}
	}
	if err := d.o.Base.OpenEvidence(d.o.Buckets); err != nil {
		return []Finding{failure("look at MDE_EVIDENCE", "%v", err)}
	}
	if err := d.o.Base.Evidence.Ready(ctx); err != nil {
		return []Finding{failure("look at MDE_EVIDENCE", "%v", err)}
	}
	return []Finding{good("%s can be opened", name)}
}

// staleCheckpoint is how old the newest checkpoint may be while there are rows that it does not cover: a worker makes one
// after ten minutes.
const staleCheckpoint = 30 * time.Minute

// audit says how old the newest checkpoint is, where this program can read them.
func (d *Doctor) audit(ctx context.Context) []Finding {
	if d.cfg.Audit.Checkpoints == "" {
		return []Finding{good("no place for checkpoints is configured here; `audit verify` reads the chain alone")}
	}
	keep, err := d.cfg.CheckpointPlace(ctx, d.o.Buckets, false)
	if err != nil {
		return []Finding{failure("look at MDE_AUDIT_CHECKPOINTS", "%v", err)}
	}
	keys, err := d.cfg.Audit.Keys()
	if err != nil {
		return []Finding{failure("look at MDE_AUDIT_PUBLIC_KEYS", "%v", err)}
	}
	if keys.Empty() {
		return []Finding{warning("set MDE_AUDIT_PUBLIC_KEYS to what `mde-slackbot keygen --audit` printed", "the checkpoints can't be verified without a public key")}
	}
	newest, ok, err := audit.Newest(ctx, keep, keys)
	if err != nil {
		return []Finding{failure("run `audit verify`, and find out who changed it", "%v", err)}
	}
	rows, err := d.db.Head(ctx)
	if err != nil {
		return []Finding{failure("look at the store", "%v", err)}
	}
	const fix = "look at the log of mde-slackbot, which makes them"
	age := d.o.Clock().Sub(newest.At).Round(time.Second)
	switch {
	case !ok && rows == 0:
		return []Finding{good("nothing was audited yet, so there is no checkpoint")}
	case !ok:
		return []Finding{warning(fix, "the audit has %d rows and no checkpoint", rows)}
	case newest.Rows > rows:
		return []Finding{failure("run `audit verify`: rows are gone, or this is another store", "%v covers %d rows and the audit has %d", newest, newest.Rows, rows)}
	case rows > newest.Rows && age > staleCheckpoint:
		return []Finding{warning(fix, "the newest is %s old, and %d rows came after it", age, rows-newest.Rows)}
	}
	return []Finding{good("%v covers %d of %d rows", newest, newest.Rows, rows)}
}
