package store

import (
	"context"
	"database/sql/driver"
)

const (
	// maxCompiled statements are kept by a connection; there are fewer, but for lists of different lengths.
	maxCompiled = 256
	// maxCompiledText is how long the text of a statement may be that is kept.
	maxCompiledText = 4096
)

// sqliteConn is what the driver's connections can do and database/sql asks of them.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what the driver's statements can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cachingConnector makes connections that keep what they have compiled, the job queue's statements too. To compile one
// takes longer than to run it, and both happen while other callers wait for the only connection.
type cachingConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c cachingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if plain, ok := conn.(sqliteConn); ok {
		return &cachingConn{sqliteConn: plain, idle: map[string]sqliteStmt{}}, nil
	}
	return conn, nil
}

// cachingConn is used by one goroutine at a time, as database/sql promises.
type cachingConn struct {
	sqliteConn
	// idle are the compiled statements that nobody is running.
	idle map[string]sqliteStmt
}

// take returns a compiled statement, which is the caller's until it is put back. Nil when there is none to be had.
func (c *cachingConn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	if len(query) > maxCompiledText {
		return nil, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if s, ok := made.(sqliteStmt); ok {
		return s, nil
	}
	return nil, made.Close()
}

// put gives a statement back. One that failed is not used again.
func (c *cachingConn) put(query string, s sqliteStmt, failed error) error {
	if _, other := c.idle[query]; other || failed != nil {
		return s.Close()
	}
	if len(c.idle) >= maxCompiled {
		if err := c.forget(); err != nil {
			return err
		}
	}
	c.idle[query] = s
	return nil
}

// forget closes all that is idle.
func (c *cachingConn) forget() (err error) {
	for query, s := range c.idle {
		delete(c.idle, query)
		if failed := s.Close(); err == nil {
			err = failed
		}
	}
	return err
}

// ExecContext implements driver.ExecerContext.
func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	res, err := s.ExecContext(ctx, args)
	if failed := c.put(query, s, err); err == nil {
		err = failed
	}
	return res, err
}

// QueryContext implements driver.QueryerContext.
func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = c.put(query, s, err)
		return nil, err
	}
	return &cachedRows{Rows: rows, conn: c, query: query, stmt: s}, nil
}

// Close implements driver.Conn. What is compiled goes first, because the database stays open until then.
func (c *cachingConn) Close() error {
	err := c.forget()
	if failed := c.sqliteConn.Close(); failed != nil {
		return failed
	}
	return err
}

// cachedRows gives its statement back when it has been read.
type cachedRows struct {
	driver.Rows
	conn  *cachingConn
	query string
	stmt  sqliteStmt
}

// Close implements driver.Rows. It may be called again.
func (r *cachedRows) Close() error {
	if r.stmt == nil {
		return nil
	}
	s := r.stmt
	r.stmt = nil
	err := r.Rows.Close() // before the statement can be taken again
	if failed := r.conn.put(r.query, s, err); err == nil {
		err = failed
	}
	return err
}
