-- +goose Up

-- Audit rows are only ever added. Whoever owns the file can drop the triggers, and is then found by the chain.
-- +goose StatementBegin
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit rows are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit rows are never removed');
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER audit_event_no_update;
DROP TRIGGER audit_event_no_delete;
