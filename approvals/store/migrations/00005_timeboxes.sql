-- +goose Up

-- One row for each step that is to be undone after a time. due_ms and try_ms only say when to look: whether something is
-- due is reckoned from what was approved and from when it happened.
CREATE TABLE timeboxes (
    request_id TEXT   NOT NULL,
    idx        BIGINT NOT NULL,
    target     TEXT   NOT NULL,
    tool       TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('armed', 'releasing', 'closed')),
    version    BIGINT NOT NULL CHECK (version >= 1),
    armed_ms   BIGINT NOT NULL,
    due_ms     BIGINT NOT NULL,
    try_ms     BIGINT NOT NULL,
    release_id TEXT   NOT NULL DEFAULT '',
    trouble    TEXT   NOT NULL DEFAULT '',
    message    TEXT   NOT NULL DEFAULT '',
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (request_id, idx),
    FOREIGN KEY (request_id, idx) REFERENCES steps (request_id, idx),
    CHECK (state <> 'releasing' OR release_id <> '')
);
CREATE INDEX timeboxes_open ON timeboxes (try_ms) WHERE state IN ('armed', 'releasing');
CREATE INDEX timeboxes_by_target ON timeboxes (target) WHERE state IN ('armed', 'releasing');

-- +goose Down
DROP TABLE timeboxes;
