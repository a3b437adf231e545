-- +goose Up

-- Small values that the processes share, changed only by whoever saw what stood there before.
CREATE TABLE kept (
    name    TEXT   NOT NULL PRIMARY KEY,
    value   TEXT   NOT NULL,
    version BIGINT NOT NULL CHECK (version >= 1)
);

-- +goose Down
DROP TABLE kept;
