package store

import "context"

// Grant runs the SQL of Roles in this database, as the role that it was opened with, which must own the tables. It reports
// false where the database knows no roles.
func (db *DB) Grant(ctx context.Context) (bool, error) {
	e, ok := db.engine.(*postgresDB)
	if !ok {
		return false, nil
	}
	err := e.withAdvisoryLock(ctx, func() error {
		_, err := e.pool.Exec(ctx, roles)
		return err
	})
	if err != nil {
		return true, storeError(err, "the SQL of the roles could not be run: %v; it needs the role that owns the tables, and one that may make roles until mde_mcp and mde_worker are there", err)
	}
	return true, nil
}
