-- +goose Up

-- How far each reader of the audit has come: a collector has every row up to seq.
CREATE TABLE audit_cursor (
    reader TEXT   NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL CHECK (seq >= 0),
    hash   TEXT   NOT NULL
);

-- +goose Down
DROP TABLE audit_cursor;
