-- +goose Up

-- Text columns hold JSON exactly as it was digested; they must never become JSONB, which rewrites it.
-- Times are Unix milliseconds; 0 means not yet.
CREATE TABLE requests (
    id              TEXT   NOT NULL PRIMARY KEY,
    plan            TEXT   NOT NULL,
    requester       TEXT   NOT NULL,
    requester_id    TEXT   NOT NULL,
    origin          TEXT   NOT NULL,
    outcome         TEXT   NOT NULL CHECK (outcome IN ('allow', 'confirm', 'approve')),
    rule            TEXT   NOT NULL,
    quorum          TEXT   NOT NULL,
    policy_digest   TEXT   NOT NULL,
    digest          TEXT   NOT NULL,
    created_ms      BIGINT NOT NULL,
    expires_ms      BIGINT NOT NULL,
    start_within_ms BIGINT NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('pending', 'approved', 'running', 'succeeded', 'partial', 'failed', 'unknown', 'denied', 'expired', 'cancelled')),
    version         BIGINT NOT NULL CHECK (version >= 1),
    decided_ms      BIGINT NOT NULL DEFAULT 0,
    finished_ms     BIGINT NOT NULL DEFAULT 0,
    moved_ms        BIGINT NOT NULL,
    message         TEXT   NOT NULL DEFAULT '',
    CHECK (state = 'pending' OR decided_ms > 0),
    CHECK ((state IN ('pending', 'approved', 'running')) = (finished_ms = 0))
);
CREATE INDEX requests_newest ON requests (created_ms, id);
CREATE INDEX requests_by_requester ON requests (requester_id, created_ms);
CREATE INDEX requests_live ON requests (state, moved_ms) WHERE state IN ('pending', 'approved', 'running');

CREATE TABLE steps (
    request_id    TEXT   NOT NULL REFERENCES requests (id),
    idx           BIGINT NOT NULL CHECK (idx >= 0),
    state         TEXT   NOT NULL CHECK (state IN ('waiting', 'sending', 'accepted', 'succeeded', 'failed', 'timed_out', 'cancelled', 'skipped', 'unknown')),
    version       BIGINT NOT NULL CHECK (version >= 1),
    attempt       BIGINT NOT NULL DEFAULT 0,
    sent_ms       BIGINT NOT NULL DEFAULT 0,
    not_before_ms BIGINT NOT NULL DEFAULT 0,
    action_id     TEXT   NOT NULL DEFAULT '',
    remote_status TEXT   NOT NULL DEFAULT '',
    message       TEXT   NOT NULL DEFAULT '',
    updated_ms    BIGINT NOT NULL,
    PRIMARY KEY (request_id, idx),
    CHECK (state IN ('waiting', 'skipped') OR attempt >= 1)
);

CREATE TABLE votes (
    request_id TEXT   NOT NULL REFERENCES requests (id),
    voter_id   TEXT   NOT NULL,
    verdict    TEXT   NOT NULL CHECK (verdict IN ('approve', 'confirm', 'deny')),
    at_ms      BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (request_id, voter_id)
);

CREATE TABLE audit_head (
    id   BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

CREATE TABLE audit_event (
    seq        BIGINT NOT NULL PRIMARY KEY CHECK (seq >= 1),
    at_ms      BIGINT NOT NULL,
    request_id TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    step       BIGINT NOT NULL,
    from_state TEXT   NOT NULL,
    to_state   TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    prev_hash  TEXT   NOT NULL,
    hash       TEXT   NOT NULL
);
CREATE INDEX audit_event_by_request ON audit_event (request_id, seq);

-- ts is empty while a process has only reserved the right to post.
CREATE TABLE messages (
    request_id  TEXT   NOT NULL,
    slot        TEXT   NOT NULL,
    channel     TEXT   NOT NULL DEFAULT '',
    ts          TEXT   NOT NULL DEFAULT '',
    version     BIGINT NOT NULL DEFAULT 0,
    reserved_ms BIGINT NOT NULL,
    PRIMARY KEY (request_id, slot)
);

CREATE TABLE seen (
    scope TEXT   NOT NULL,
    item  TEXT   NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (scope, item)
);
CREATE INDEX seen_by_age ON seen (at_ms);

-- +goose Down
DROP TABLE seen;
DROP TABLE messages;
DROP TABLE audit_event;
DROP TABLE audit_head;
DROP TABLE votes;
DROP TABLE steps;
DROP TABLE requests;
