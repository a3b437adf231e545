package store

import (
	"context"
	"database/sql"
	"errors"
)

// Kept is a small value that the processes share under a name, such as which workspace the store belongs to. It is no place
// for secrets in clear: whoever may read the database may read it.
type Kept struct {
	Name, Value string
	// Version counts the changes; zero means that nothing is kept under the name yet.
	Version int64
}

// Kept returns what is kept under a name: with version 0, nothing.
func (db *DB) Kept(ctx context.Context, name string) (Kept, error) {
	k := Kept{Name: name}
	err := db.read(ctx, func(q querier) error {
		err := q.QueryRowContext(ctx, "SELECT value, version FROM kept WHERE name = $1", plain(name)).Scan(&k.Value, &k.Version)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return k, err
}

// Keep replaces what the caller saw, by its version, with a new value; else KindConflict and nothing changes.
func (db *DB) Keep(ctx context.Context, saw Kept, value string) error {
	return db.InTx(ctx, func(tx *Tx) error {
		var n int64
		var err error
		if saw.Version == 0 {
			n, err = tx.exec(ctx, "INSERT INTO kept (name, value, version) VALUES ($1, $2, 1) ON CONFLICT (name) DO NOTHING", plain(saw.Name), plain(value))
		} else {
			n, err = tx.exec(ctx, "UPDATE kept SET value = $1, version = version + 1 WHERE name = $2 AND version = $3", plain(value), plain(saw.Name), saw.Version)
		}
		if err == nil && n != 1 {
			return conflict("another process has changed %s meanwhile", clip(saw.Name))
		}
		return err
	})
}
