package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Message is something posted to a face about a request. It is reserved before it is posted, so that two processes
// don't post it twice.
type Message struct {
	// RequestID and Key name it: "card", "thread:succeeded" and the like.
	RequestID, Key string
	// Channel and TS are where it was posted; TS is empty while it is only reserved.
	Channel, TS string
	// Version is the request's version that the message shows.
	Version int64
	// ReservedAt is when the right to post was taken.
	ReservedAt time.Time
}

const messageColumns = "request_id, slot, channel, ts, version, reserved_ms"

func scanMessage(row scanner) (m Message, err error) {
	var reserved int64
	err = row.Scan(&m.RequestID, &m.Key, &m.Channel, &m.TS, &m.Version, &reserved)
	m.ReservedAt = fromMS(reserved)
	return m, err
}

// ReserveMessage takes the right to post a message. True means that the caller must post it and then call
// PostedMessage, or ReleaseMessage when the post definitely failed. False means that it is posted, or was reserved less
// than takeOver ago; the message says which. A reservation that old is taken over, because its process has died.
func (db *DB) ReserveMessage(ctx context.Context, requestID, key string, now time.Time, takeOver time.Duration) (m Message, mine bool, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `INSERT INTO messages (request_id, slot, reserved_ms) VALUES ($1, $2, $3)
			ON CONFLICT (request_id, slot) DO UPDATE SET reserved_ms = excluded.reserved_ms
			WHERE messages.ts = '' AND messages.reserved_ms <= $4`, plain(requestID), plain(key), ms(now), ms(now.Add(-takeOver)))
		if err != nil {
			return err
		}
		mine = n == 1
		m, err = scanMessage(tx.s.QueryRowContext(ctx, "SELECT "+messageColumns+" FROM messages WHERE request_id = $1 AND slot = $2",
			plain(requestID), plain(key)))
		return tx.fault(err)
	})
	if err != nil {
		return Message{}, false, err
	}
	return m, mine, nil
}

// PostedMessage records where a message is and which version of the request it shows. An older version never replaces a
// newer one.
func (db *DB) PostedMessage(ctx context.Context, m Message) error {
	return db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO messages (`+messageColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (request_id, slot) DO UPDATE SET channel = excluded.channel, ts = excluded.ts,
			version = CASE WHEN excluded.version > messages.version THEN excluded.version ELSE messages.version END`,
			plain(m.RequestID), plain(m.Key), plain(m.Channel), plain(m.TS), m.Version, ms(m.ReservedAt))
		return err
	})
}

// Message returns a posted or reserved message, and false when there is none.
func (db *DB) Message(ctx context.Context, requestID, key string) (m Message, ok bool, err error) {
	err = db.read(ctx, func(q querier) error {
		m, err = scanMessage(q.QueryRowContext(ctx, "SELECT "+messageColumns+" FROM messages WHERE request_id = $1 AND slot = $2",
			plain(requestID), plain(key)))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	return m, ok, err
}

// Messages returns everything that was posted or reserved about a request, by its keys.
func (db *DB) Messages(ctx context.Context, requestID string) (map[string]Message, error) {
	var list []Message
	err := db.read(ctx, func(q querier) (err error) {
		list, err = collect(ctx, q, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE request_id = $1", plain(requestID))
		return err
	})
	byKey := make(map[string]Message, len(list))
	for _, m := range list {
		byKey[m.Key] = m
	}
	return byKey, err
}

// ReleaseMessage frees a reservation whose post definitely failed. What was posted stays.
func (db *DB) ReleaseMessage(ctx context.Context, requestID, key string) error {
	return db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, "DELETE FROM messages WHERE request_id = $1 AND slot = $2 AND ts = ''", plain(requestID), plain(key))
		return err
	})
}
