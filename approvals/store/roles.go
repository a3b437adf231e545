package store

import (
	"errors"

	_ "embed" // for the SQL of the roles

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed roles.sql
var roles string

// Roles is the SQL that makes the PostgreSQL roles mde_mcp, for processes that only ask, and mde_worker, for those that act,
// and gives each what it needs and no more. The owner of the tables runs it after every migration.
func Roles() string { return roles }

// mayNotMigrate describes that the database's role may not bring the tables up to date; nil when err says something else.
func mayNotMigrate(err error, what string) error {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "42501" {
		return nil
	}
	return storeError(err, "%s, and the database role may not change that (%s); nothing was changed: open the database once with this version of the program and "+
		"the role that owns its tables, and run the SQL of the roles there", what, clip(pe.Message))
}
