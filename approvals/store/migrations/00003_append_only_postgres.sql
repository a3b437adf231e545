-- +goose Up

-- Audit rows are only ever added. Whoever owns the table can drop the trigger, and is then found by the chain.
-- +goose StatementBegin
CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit rows are never changed or removed';
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();

-- +goose Down
DROP TRIGGER audit_event_append_only ON audit_event;
DROP FUNCTION audit_event_refuse;
