-- Roles for the processes of mde-ops on PostgreSQL. Run as the owner of the tables, in their database and with their schema
-- first in the search path, after every migration; to run it again changes nothing else. The roles can't log in: make a
-- login for each process, IN ROLE mde_mcp or IN ROLE mde_worker, and give it a password of its own.
--
--   mde_mcp     submits, withdraws and reads what was asked for, decided and done. It can't vote, approve, send or report, whatever SQL it is made to say.
--   mde_worker  does all that the worker and the Slack bot do. It can't alter the tables, the audit or a vote.

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mde_mcp', 'mde_worker'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN -- who owns the tables need not be one who may make roles
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO mde_mcp, mde_worker', current_schema());
    EXECUTE format('REVOKE SELECT ON ALL TABLES IN SCHEMA %I FROM mde_mcp', current_schema());
    GRANT SELECT ON requests, steps, votes, timeboxes, audit_event, audit_head, river_job, mde_migration, river_migration TO mde_mcp;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO mde_worker', current_schema());
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO mde_worker', current_schema());
END;
$$;

REVOKE INSERT, UPDATE, DELETE ON mde_migration, river_migration FROM mde_worker;
REVOKE UPDATE, DELETE ON audit_event, votes FROM mde_worker;
REVOKE DELETE ON requests, steps, timeboxes, audit_cursor, kept FROM mde_worker;
REVOKE INSERT, DELETE ON audit_head FROM mde_worker;

-- A submission inserts a request, its steps, its audit rows and its jobs. A withdrawal cancels, and skips what was not sent;
-- whoever joins is added. What exactly may change is in the triggers below.
GRANT INSERT ON requests, steps, audit_event TO mde_mcp;
GRANT UPDATE (state, version, moved_ms, message, decided_ms, finished_ms, attached) ON requests TO mde_mcp;
GRANT UPDATE (state, version, updated_ms, message, sent_ms, attempt, action_id, remote_status, not_before_ms) ON steps TO mde_mcp;
GRANT UPDATE (seq, hash) ON audit_head TO mde_mcp;
GRANT INSERT, UPDATE (kind) ON river_job TO mde_mcp;
GRANT USAGE ON SEQUENCE river_job_id_seq TO mde_mcp;

-- Whoever is in mde_mcp and not in mde_worker as well is bound by these; the owner of the tables is not.
CREATE OR REPLACE FUNCTION mde_refuse_mcp() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE allowed boolean := false;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mde_mcp' AND pg_has_role(current_user, oid, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'mde_worker' AND pg_has_role(current_user, oid, 'MEMBER')) THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'requests' AND TG_OP = 'INSERT' THEN
        allowed := NEW.version = 1 AND NEW.parent = '' AND NEW.attached = 'null' AND NEW.finished_ms = 0
            -- The blast radius is counted by these. PostgreSQL reads no JSON with a zero character in it.
            AND NEW.tool = replace(NEW.plan, '\u0000', '\uFFFD')::json ->> 'tool' AND NEW.risk = replace(NEW.plan, '\u0000', '\uFFFD')::json ->> 'risk'
            AND (NEW.state = 'pending' AND NEW.decided_ms = 0 OR NEW.state = 'approved' AND NEW.outcome = 'allow'
                -- the client's word, which serves annotations alone; the worker looks again
                OR NEW.state = 'approved' AND NEW.outcome = 'confirm' AND NEW.risk = 'annotate' AND NEW.terms::json ->> 'client_consent' = 'true');
    ELSIF TG_TABLE_NAME = 'requests' THEN
        allowed := NEW.version >= OLD.version AND (
            NEW.state = OLD.state AND NEW.decided_ms = OLD.decided_ms AND NEW.finished_ms = OLD.finished_ms
            OR NEW.state = 'cancelled' AND OLD.state IN ('pending', 'approved') AND NEW.version > OLD.version);
    ELSIF TG_TABLE_NAME = 'steps' AND TG_OP = 'INSERT' THEN
        allowed := NEW.state = 'waiting' AND NEW.version = 1 AND NEW.attempt = 0 AND NEW.sent_ms = 0 AND NEW.not_before_ms = 0
            AND NEW.action_id = '' AND NEW.remote_status = '';
    ELSIF TG_TABLE_NAME = 'steps' THEN
        allowed := OLD.state = 'waiting' AND NEW.state = 'skipped' AND NEW.version = OLD.version + 1 AND NEW.attempt = OLD.attempt
            AND NEW.sent_ms = OLD.sent_ms AND NEW.not_before_ms = OLD.not_before_ms AND NEW.action_id = OLD.action_id
            AND NEW.remote_status = OLD.remote_status;
    ELSIF TG_TABLE_NAME = 'audit_event' THEN
        allowed := NOT (NEW.type = 'stopped' AND NEW.detail LIKE 'restore:%') -- what is said of a comparison with the tenant is the worker's
            AND NEW.type NOT IN ('vote', 'lifted', 'paused', 'resumed', 'extended', 'reminded', 'escalated', 'break_glass', 'timebox')
            AND (NEW.to_state IN ('', 'pending', 'cancelled', 'skipped') OR NEW.to_state = 'approved' AND NEW.from_state = '');
    ELSIF TG_TABLE_NAME = 'audit_head' THEN
        allowed := NEW.seq >= OLD.seq;
    END IF;
    IF allowed THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'role mde_mcp may not do this to table %', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE OR REPLACE TRIGGER requests_refuse_mcp BEFORE INSERT OR UPDATE ON requests FOR EACH ROW EXECUTE FUNCTION mde_refuse_mcp();
CREATE OR REPLACE TRIGGER steps_refuse_mcp BEFORE INSERT OR UPDATE ON steps FOR EACH ROW EXECUTE FUNCTION mde_refuse_mcp();
CREATE OR REPLACE TRIGGER audit_event_refuse_mcp BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION mde_refuse_mcp();
CREATE OR REPLACE TRIGGER audit_head_refuse_mcp BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION mde_refuse_mcp();
