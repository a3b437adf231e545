package audit_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// bench is a database with an audit, a place for checkpoints and whoever writes and verifies them.
type bench struct {
	t      *testing.T
	url    string
	db     *store.DB
	dir    string
	keep   *audit.Folder
	signer *audit.Signer
	keys   audit.Keys
	now    time.Time
	alarms []string
}

// each runs a test on every database at hand.
func each(t *testing.T, fn func(b *bench)) {
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) { fn(newBench(t, newURL(t))) })
}

// table runs the cases of a table on every database at hand, each on one of its own.
func table[T any](t *testing.T, cases map[string]T, fn func(b *bench, c T)) {
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) { fn(newBench(t, newURL(t)), c) })
		}
	})
}

func newBench(t *testing.T, url string) *bench {
	b := &bench{t: t, url: url, now: storetest.Noon(), dir: filepath.Join(t.TempDir(), "checkpoints")}
	b.db = storetest.Open(t, url, store.Options{Clock: func() time.Time { return b.now }})
	var err error
	b.keep, err = audit.OpenFolder(b.dir, true)
	require.NoError(t, err)
	b.signer, b.keys = newKey(t)
	return b
}

func newKey(t *testing.T) (*audit.Signer, audit.Keys) {
	private, public, err := audit.NewKeys()
	require.NoError(t, err)
	s, err := audit.ParseSigner(private)
	require.NoError(t, err)
	require.Equal(t, public, s.Public())
	keys, err := audit.ParseKeys(public)
	require.NoError(t, err)
	return s, keys
}

func (b *bench) keeper() *audit.Keeper {
	k, err := audit.NewKeeper(audit.KeeperOptions{
		Store: b.db, Keep: b.keep, Signer: b.signer, Keys: b.keys, Origin: "test", Clock: func() time.Time { return b.now },
		Logger: slog.New(slog.DiscardHandler), Rows: 5, Every: time.Minute, Look: time.Millisecond,
		Alarm: func(_ context.Context, what string) { b.alarms = append(b.alarms, what) },
	})
	require.NoError(b.t, err)
	return k
}

// rows adds so many audit rows.
func (b *bench) rows(n int) {
	for range n {
		require.NoError(b.t, b.db.InTx(b.t.Context(), func(tx *store.Tx) error {
			return tx.Note(b.t.Context(), approvals.Event{Type: "refused", Actor: "eve@example.com", Step: -1, Detail: "not an approver"})
		}))
	}
}

// checkpoint adds rows and a checkpoint after them, a minute later than the last.
func (b *bench) checkpoint(k *audit.Keeper, rows int) audit.Checkpoint {
	b.t.Helper()
	b.rows(rows)
	b.now = b.now.Add(time.Minute)
	c, err := k.Checkpoint(b.t.Context())
	require.NoError(b.t, err)
	return c
}

func (b *bench) verify() audit.Report {
	b.t.Helper()
	r, err := audit.Verify(b.t.Context(), b.db, b.keep, b.keys, "test")
	require.NoError(b.t, err)
	return r
}

// found wants a fault with that text, and so many rows proved.
func (b *bench) found(want string, proved int64) {
	b.t.Helper()
	r := b.verify()
	require.Contains(b.t, strings.Join(r.Faults, "\n"), want)
	require.Equal(b.t, proved, r.Proved)
	require.Contains(b.t, r.String(), "FAULT: ")
}

func (b *bench) file(number int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%012d.note", number))
}

// rechain computes the chain from a row on anew, as whoever owns the database can.
func rechain(t *testing.T, raw *sql.DB, from int64) {
	t.Helper()
	hash := ""
	_ = raw.QueryRowContext(t.Context(), "SELECT hash FROM audit_event WHERE seq = $1", from-1).Scan(&hash)
	var last int64
	require.NoError(t, raw.QueryRowContext(t.Context(), "SELECT MAX(seq) FROM audit_event").Scan(&last))
	for seq := from; seq <= last; seq++ {
		row := struct {
			Format    int    `json:"format"`
			Seq       int64  `json:"seq"`
			AtMS      int64  `json:"at_ms"`
			RequestID string `json:"request_id"`
			Type      string `json:"type"`
			Actor     string `json:"actor"`
			Step      int    `json:"step"`
			From      string `json:"from"`
			To        string `json:"to"`
			Detail    string `json:"detail"`
			Prev      string `json:"prev"`
		}{Format: 1, Seq: seq, Prev: hash}
		require.NoError(t, raw.QueryRowContext(t.Context(), "SELECT at_ms, request_id, type, actor, step, from_state, to_state, detail FROM audit_event WHERE seq = $1", seq).
			Scan(&row.AtMS, &row.RequestID, &row.Type, &row.Actor, &row.Step, &row.From, &row.To, &row.Detail))
		text, err := json.Marshal(row)
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		storetest.Exec(t, raw, "UPDATE audit_event SET prev_hash = $1, hash = $2 WHERE seq = $3", hash, hex.EncodeToString(sum[:]), seq)
		hash = hex.EncodeToString(sum[:])
	}
	storetest.Exec(t, raw, "UPDATE audit_head SET seq = $1, hash = $2", last, hash)
}

func TestCheckpointsProveRowsAndSayHowFar(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		k := b.keeper()
		c, err := k.Checkpoint(b.t.Context())
		require.NoError(b.t, err)
		require.Zero(b.t, c.Number, "an empty audit needs no checkpoint")
		require.True(b.t, b.verify().OK())
		require.Equal(b.t, int64(1), b.checkpoint(k, 3).Number)
		require.Equal(b.t, int64(1), b.checkpoint(k, 0).Number, "nothing new, no checkpoint")
		c = b.checkpoint(b.keeper(), 4) // another process goes on from the same place
		require.Equal(b.t, int64(7), c.Rows)
		require.Equal(b.t, int64(3), b.checkpoint(k, 2).Number, "the first process finds what the other wrote")
		b.rows(2)
		r := b.verify()
		require.Empty(b.t, r.Faults)
		require.Contains(b.t, r.String(), "rows 1..9 are proved by checkpoint 3 of 2026-03-01T12:04:00Z; rows 10..11 only by the chain")
		info, err := os.Stat(b.file(1))
		require.NoError(b.t, err)
		require.Equal(b.t, os.FileMode(0o600), info.Mode().Perm())
		bare, err := audit.Verify(b.t.Context(), b.db, nil, audit.Keys{}, "")
		require.NoError(b.t, err)
		require.Contains(b.t, bare.String(), "shown by the chain only")
	})
}

// behind is an attack on the database, what must be found, and how many rows are proved nevertheless.
type behind struct {
	attack func(t *testing.T, raw *sql.DB)
	want   string
	proved int64
}

// Every way to change the audit behind the store's back, by someone who owns the database, is found and located.
func TestWhatTheDatabasesOwnerCanDoIsFound(t *testing.T) {
	t.Parallel()
	table(t, map[string]behind{
		"a row altered": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET actor = 'ann@example.com' WHERE seq = 5")
		}, "audit row 5 was altered", 3},
		"a row altered, the chain anew": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET actor = 'ann@example.com' WHERE seq = 5")
			rechain(t, raw, 5)
		}, "a row from 4 to 6 was altered, replaced or moved, and the chain after it computed anew: row 6 is not the one that checkpoint 2 of 2026-03-01T12:02:00Z is about", 3},
		"the first row altered, the chain anew": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET detail = 'x' WHERE seq = 1")
			rechain(t, raw, 1)
		}, "a row from 1 to 3 was altered", 0},
		"two rows exchanged, the chain anew": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET detail = 'x' WHERE seq = 8") // rows are alike otherwise
			storetest.Exec(t, raw, "UPDATE audit_event SET seq = -8 WHERE seq = 8")
			storetest.Exec(t, raw, "UPDATE audit_event SET seq = 8 WHERE seq = 7")
			storetest.Exec(t, raw, "UPDATE audit_event SET seq = 7 WHERE seq = -8")
			rechain(t, raw, 7)
		}, "a row from 7 to 9 was altered, replaced or moved", 6},
		"a row removed": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq = 4")
		}, "audit row 4 is missing", 3},
		"a row removed, the others moved up, the chain anew": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq = 4")
			for seq := 5; seq <= 10; seq++ {
				storetest.Exec(t, raw, "UPDATE audit_event SET seq = seq - 1 WHERE seq = $1", seq)
			}
			rechain(t, raw, 4)
		}, "a row from 4 to 6 was altered", 3},
		"a row inserted": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "INSERT INTO audit_event SELECT 0, at_ms, request_id, type, actor, step, from_state, to_state, detail, prev_hash, hash FROM audit_event WHERE seq = 1")
		}, "1 audit row(s) were added before the first", 9},
		"the tail removed, the head with it": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq > 7")
			rechain(t, raw, 8)
		}, "rows 8 to 9 were removed: the audit ends at row 7, but checkpoint 3 of 2026-03-01T12:03:00Z is about 9 rows", 6},
		"everything removed": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event")
			storetest.Exec(t, raw, "UPDATE audit_head SET seq = 0, hash = ''")
		}, "rows 1 to 9 were removed", 0},
		"only the head reset": {func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_head SET seq = 0, hash = ''")
		}, "the audit has rows after 0, where its head says it ends", 9},
	}, func(b *bench, c behind) {
		k := b.keeper()
		for range 3 {
			b.checkpoint(k, 3)
		}
		b.rows(1)
		require.Empty(b.t, b.verify().Faults)
		c.attack(b.t, storetest.Raw(b.t, b.url)) // which drops the triggers
		b.found(c.want, c.proved)
	})
}

// Rows after the last checkpoint are only chained; that is said, not hidden.
func TestATailWithoutACheckpointIsNotProved(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		b.checkpoint(b.keeper(), 3)
		b.rows(2)
		raw := storetest.Raw(b.t, b.url)
		storetest.Exec(b.t, raw, "DELETE FROM audit_event WHERE seq > 4")
		rechain(b.t, raw, 4)
		r := b.verify()
		require.Empty(b.t, r.Faults)
		require.Contains(b.t, r.String(), "rows 4..4 only by the chain")
	})
}

// Every way to change the place of the checkpoints is found.
func TestWhatTheFoldersOwnerCanDoIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attack func(b *bench)
		want   string
		proved int64
	}{
		"an older one in a newer one's place": {func(b *bench) { b.copy(b.file(1), b.file(2)) }, "checkpoint 2 in %s does not verify: it is a copy of checkpoint 1", 9},
		"one removed":                         {func(b *bench) { require.NoError(b.t, os.Remove(b.file(2))) }, "checkpoint 2 is missing", 9},
		"the first ones removed": {func(b *bench) {
			require.NoError(b.t, os.Remove(b.file(1)))
			require.NoError(b.t, os.Remove(b.file(2)))
		}, "checkpoints 1 to 2 are missing", 9},
		"all removed": {func(b *bench) {
			require.NoError(b.t, os.RemoveAll(b.dir))
			require.NoError(b.t, os.Mkdir(b.dir, 0o700))
		}, "there is no checkpoint in", 0},
		"the text altered": {func(b *bench) { b.edit(b.file(3), "rows 9", "rows 8") }, "checkpoint 3 in %s does not verify: its signature does not fit its text", 6},
		"no note at all":   {func(b *bench) { b.edit(b.file(3), "checkpoint", "") }, "checkpoint 3 in %s does not verify", 6},
		"too long": {func(b *bench) {
			require.NoError(b.t, os.WriteFile(b.file(3), make([]byte, 1<<20), 0o600))
		}, "more than 16384 bytes", 6},
		"signed with another key": {func(b *bench) {
			require.NoError(b.t, os.Remove(b.file(3)))
			k := b.signer
			b.signer, _ = newKey(b.t)
			b.checkpoint(b.keeper(), 1)
			b.signer = k
		}, "checkpoint 3 in %s does not verify: no key of MDE_AUDIT_PUBLIC_KEYS signed it", 6},
		"another history by the same key": {func(b *bench) {
			require.NoError(b.t, os.Remove(b.file(2)))
			require.NoError(b.t, os.Rename(b.file(3), b.file(3)+"x"))
			b.checkpoint(b.keeper(), 1) // number 2 anew, about other rows
			require.NoError(b.t, os.Rename(b.file(3)+"x", b.file(3)))
		}, "checkpoint 3 of 2026-03-01T12:03:00Z does not continue checkpoint 2: one of them was replaced", 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, storetest.SQLite(t))
			k := b.keeper()
			for range 3 {
				b.checkpoint(k, 3)
			}
			c.attack(b)
			b.found(strings.ReplaceAll(c.want, "%s", b.dir), c.proved)
		})
	}
}

func (b *bench) copy(from, to string) {
	text, err := os.ReadFile(from)
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(to, text, 0o600))
}

func (b *bench) edit(file, old, text string) {
	have, err := os.ReadFile(file)
	require.NoError(b.t, err)
	require.Contains(b.t, string(have), old)
	require.NoError(b.t, os.WriteFile(file, []byte(strings.Replace(string(have), old, text, 1)), 0o600))
}

func TestCheckpointsOfAnotherAuditAreNotMixedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.checkpoint(b.keeper(), 3)
	r, err := audit.Verify(t.Context(), b.db, b.keep, b.keys, "other")
	require.NoError(t, err)
	require.Contains(t, strings.Join(r.Faults, "\n"), `is about another audit: "test", not "other"`)
	_, err = audit.Restored(t.Context(), b.db, b.keep, b.keys, "other")
	require.ErrorContains(t, err, "give each its own place")
	_, err = audit.Verify(t.Context(), b.db, b.keep, audit.Keys{}, "test")
	require.ErrorContains(t, err, "MDE_AUDIT_PUBLIC_KEYS")
}

// A checkpoint signs what was verified. A history that does not continue the last one is never signed, and people hear of it.
func TestAnAlteredAuditIsNeverSigned(t *testing.T) {
	t.Parallel()
	table(t, map[string]func(t *testing.T, raw *sql.DB){
		"the last row of the checkpoint": func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET detail = 'x' WHERE seq = 3")
			rechain(t, raw, 3)
		},
		"the tail": func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq > 2")
			rechain(t, raw, 3)
		},
		"a new row": func(t *testing.T, raw *sql.DB) {
			storetest.Exec(t, raw, "UPDATE audit_event SET detail = 'x' WHERE seq = 4")
		},
	}, func(b *bench, attack func(t *testing.T, raw *sql.DB)) {
		k := b.keeper()
		b.checkpoint(k, 3)
		b.rows(2)
		attack(b.t, storetest.Raw(b.t, b.url))
		_, err := k.Checkpoint(b.t.Context())
		var strayed *audit.StrayedError
		require.ErrorAs(b.t, err, &strayed)
		require.NoFileExists(b.t, b.file(2))
		ended, cancel := context.WithCancel(b.t.Context())
		cancel()
		k.Run(ended)
		require.NotEmpty(b.t, b.alarms)
		require.NoFileExists(b.t, b.file(2))
	})
}

// A database restored from a backup is noticed at the start, and never forgotten; after that its rows are proved again.
func TestARestoredDatabaseIsNoticed(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		k := b.keeper()
		b.checkpoint(k, 3)
		b.checkpoint(k, 3)
		b.checkpoint(k, 3)
		what, err := k.Restored(b.t.Context())
		require.NoError(b.t, err)
		require.Empty(b.t, what)

		raw := storetest.Raw(b.t, b.url)
		storetest.Exec(b.t, raw, "DELETE FROM audit_event WHERE seq > 7")
		rechain(b.t, raw, 8)
		_, err = k.Checkpoint(b.t.Context())
		require.ErrorContains(b.t, err, "the audit ends at row 7, but checkpoint 3 of 2026-03-01T12:03:00Z is about 9 rows")
		what, err = audit.Restored(b.t.Context(), b.db, b.keep, b.keys, "test")
		require.NoError(b.t, err)
		require.Contains(b.t, what, "restored from a backup")

		k = b.keeper() // the process starts again
		_, err = k.Checkpoint(b.t.Context())
		require.Error(b.t, err, "not before somebody asked, and so stopped everything")
		what, err = k.Restored(b.t.Context())
		require.NoError(b.t, err)
		require.Contains(b.t, what, "restored from a backup")
		c := b.checkpoint(k, 5) // more rows than before: only the hashes tell
		require.True(b.t, c.Restored)
		require.Equal(b.t, int64(6), c.Since)
		require.Equal(b.t, int64(12), c.Rows)
		b.checkpoint(k, 1)

		r := b.verify()
		require.Empty(b.t, r.Faults)
		require.Equal(b.t, int64(13), r.Proved)
		require.Equal(b.t, []audit.Restore{{At: c.At, Number: 4, After: 6, Lost: 9}}, r.Restores)
		require.Contains(b.t, r.String(), "RESTORED: checkpoint 4 of 2026-03-01T12:04:00Z says that the database had rows 1..6 of the 9 before")

		storetest.Exec(b.t, raw, "UPDATE audit_event SET detail = 'x' WHERE seq = 5")
		rechain(b.t, raw, 5)
		b.found("a row from 4 to 6 was altered", 3)
	})
}

// Even twice, and back beyond the first restore.
func TestADatabaseRestoredTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	k := b.keeper()
	raw := storetest.Raw(t, b.url)
	cut := func(after int64) {
		storetest.Exec(t, raw, "DELETE FROM audit_event WHERE seq > $1", after)
		rechain(t, raw, after+1)
		k = b.keeper()
		what, err := k.Restored(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, what)
	}
	for range 3 {
		b.checkpoint(k, 3)
	}
	cut(7)
	require.Equal(t, int64(6), b.checkpoint(k, 3).Since)
	b.checkpoint(k, 3)
	cut(4)
	require.Equal(t, int64(3), b.checkpoint(k, 1).Since)
	r := b.verify()
	require.Empty(t, r.Faults)
	require.Len(t, r.Restores, 2)
	require.Equal(t, int64(5), r.Proved)
	cut(1)
	require.Zero(t, b.checkpoint(k, 1).Since)
	require.Empty(t, b.verify().Faults)
}

func TestAGapStopsNewCheckpoints(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	for range 3 {
		b.checkpoint(b.keeper(), 1)
	}
	require.NoError(t, os.Remove(b.file(2)))
	_, err := b.keeper().Checkpoint(t.Context())
	require.ErrorContains(t, err, "checkpoints are missing")
	_, err = b.keeper().Restored(t.Context())
	require.ErrorContains(t, err, "checkpoints are missing")
}

// Several processes share a place: each number is taken once, and none of them signs another history.
func TestManyKeepersMakeOneLine(t *testing.T) {
	t.Parallel()
	each(t, func(b *bench) {
		var all sync.WaitGroup
		for range 4 {
			k := b.keeper()
			all.Go(func() {
				for range 5 {
					err := b.db.InTx(b.t.Context(), func(tx *store.Tx) error {
						return tx.Note(b.t.Context(), approvals.Event{Type: "refused", Actor: "gate", Step: -1})
					})
					if err == nil {
						_, err = k.Checkpoint(b.t.Context())
					}
					if err != nil {
						b.t.Error(err)
					}
				}
			})
		}
		all.Wait()
		r := b.verify()
		require.Empty(b.t, r.Faults)
		require.Equal(b.t, int64(20), r.Proved)
	})
}

func TestACheckpointIsDueByTimeAndByRows(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	k := b.keeper()
	due := func(want bool, why string) {
		t.Helper()
		got, err := k.Due(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got, why)
	}
	due(false, "nothing to say")
	b.checkpoint(k, 1)
	b.now = b.now.Add(time.Hour)
	due(false, "nothing new, however long")
	b.now = b.now.Add(-time.Hour)
	b.rows(4)
	due(false, "new, but few and young")
	b.rows(1)
	due(true, "five rows")
	b.checkpoint(k, 0)
	b.rows(1)
	b.now = b.now.Add(time.Minute)
	due(true, "a minute")
	b.checkpoint(k, 0)
	b.rows(1)
	b.now = b.now.Add(-time.Hour)
	due(true, "a clock that went back does not put it off")
}

func TestTheEndWritesACheckpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.checkpoint(b.keeper(), 1)
	b.rows(1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	b.keeper().Run(ended)
	require.FileExists(t, b.file(2))
	require.Empty(t, b.alarms)
}

func TestAFolderOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // that is what must be refused
	_, err := audit.OpenFolder(dir, true)
	require.ErrorContains(t, err, "chmod 700")
	_, err = audit.OpenFolder(dir, false)
	require.NoError(t, err, "reading needs no more than reading")
	_, err = audit.OpenFolder(filepath.Join(dir, "no", "such"), true)
	require.ErrorContains(t, err, "can't be created")
	_, err = audit.OpenFolder(filepath.Join(dir, "none"), false)
	require.ErrorContains(t, err, "can't be opened")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = audit.OpenFolder(file, true)
	require.ErrorContains(t, err, "is a file")
}

func TestNothingIsEverOverwritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	require.NoError(t, b.keep.Create(t.Context(), "a", []byte("first")))
	require.ErrorIs(t, b.keep.Create(t.Context(), "a", []byte("second")), audit.ErrExists)
	text, err := b.keep.Read(t.Context(), "a", 10)
	require.NoError(t, err)
	require.Equal(t, "first", string(text))
	names, err := b.keep.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names, "nothing half-written is left")
}

func TestKeysAreNotMixedUpAndNotShown(t *testing.T) {
	t.Parallel()
	private, public, err := audit.NewKeys()
	require.NoError(t, err)
	for _, text := range []string{public, "", "mde-vote-private-" + strings.TrimPrefix(private, "mde-audit-private-"), private + "x", "mde-audit-private-AAAA"} {
		_, err := audit.ParseSigner(text)
		require.Error(t, err)
		require.NotContains(t, err.Error(), strings.TrimPrefix(private, "mde-audit-private-"))
	}
	for _, text := range []string{private, "", "mde-vote-public-" + strings.TrimPrefix(public, "mde-audit-public-"), public + "x"} {
		_, err := audit.ParseKeys(public, text)
		require.Error(t, err)
		require.NotContains(t, err.Error(), strings.TrimPrefix(private, "mde-audit-private-"))
	}
	s, err := audit.ParseSigner(private)
	require.NoError(t, err)
	for _, origin := range []string{"", "two words", "a\nb"} {
		_, err = audit.NewKeeper(audit.KeeperOptions{Store: &store.DB{}, Keep: &audit.Folder{}, Signer: s, Origin: origin})
		require.ErrorContains(t, err, "must be one word")
	}
}
