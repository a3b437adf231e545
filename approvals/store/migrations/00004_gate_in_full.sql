-- +goose Up

ALTER TABLE requests ADD COLUMN terms TEXT NOT NULL DEFAULT '{}';
ALTER TABLE requests ADD COLUMN parent TEXT NOT NULL DEFAULT '';
-- plan_key is the same for two requests that would do the same; only one of them may be open.
ALTER TABLE requests ADD COLUMN plan_key TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN attached TEXT NOT NULL DEFAULT 'null';
ALTER TABLE requests ADD COLUMN tool TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN risk TEXT NOT NULL DEFAULT '';
CREATE INDEX requests_twin ON requests (plan_key) WHERE state IN ('pending', 'approved', 'running');
CREATE INDEX steps_sent ON steps (sent_ms) WHERE sent_ms > 0;
CREATE INDEX steps_by_action ON steps (action_id) WHERE action_id <> '';
CREATE INDEX audit_event_marks ON audit_event (type, seq)
    WHERE type IN ('stopped', 'lifted', 'paused', 'resumed', 'extended', 'attached', 'reminded', 'policy', 'escalated');

-- +goose Down
DROP INDEX audit_event_marks;
DROP INDEX steps_by_action;
DROP INDEX steps_sent;
DROP INDEX requests_twin;
ALTER TABLE requests DROP COLUMN risk;
ALTER TABLE requests DROP COLUMN tool;
ALTER TABLE requests DROP COLUMN attached;
ALTER TABLE requests DROP COLUMN plan_key;
ALTER TABLE requests DROP COLUMN parent;
ALTER TABLE requests DROP COLUMN terms;
