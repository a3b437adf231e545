-- +goose Up

-- Lists by state, what was denied lately, and old messages are found without reading everything else.
CREATE INDEX requests_by_state ON requests (state, created_ms, id);
CREATE INDEX requests_denied ON requests (state, finished_ms) WHERE state = 'denied';
CREATE INDEX messages_by_age ON messages (reserved_ms);

-- +goose Down
DROP INDEX messages_by_age;
DROP INDEX requests_denied;
DROP INDEX requests_by_state;
