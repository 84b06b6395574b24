-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- The audit trail only grows, and shows if a role with more rights changed it anyway (docs/decisions/audit-chain.md).
-- One row per link: seq has no gaps, and each hash covers the previous one.
CREATE TABLE audit_chain (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    event_id bigint NOT NULL UNIQUE,
    -- Personal columns are covered through a salted digest; without the salt it reveals nothing, and the chain still verifies.
    salt bytea CHECK (octet_length(salt) = 32),
    personal bytea NOT NULL CHECK (octet_length(personal) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- Where the chain begins after older events were deleted: the last deleted link.
CREATE TABLE audit_checkpoints (
    seq bigint PRIMARY KEY,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at timestamptz NOT NULL DEFAULT now()
);

-- Each part states whether it is present and how long it is, so that different rows give different bytes.
CREATE FUNCTION audit_part(part bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN part IS NULL THEN '\x00'::bytea ELSE '\x01'::bytea || int4send(octet_length(part)) || part END
$$;

CREATE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    last record;
    salt bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    personal bytea;
BEGIN
    -- The last lock of every transaction: this runs at commit.
    PERFORM pg_advisory_xact_lock(7223372036854775807);
    SELECT links.seq, links.hash INTO last FROM (
        (SELECT c.seq, c.hash FROM audit_chain c ORDER BY c.seq DESC LIMIT 1)
        UNION ALL (SELECT p.seq, p.hash FROM audit_checkpoints p ORDER BY p.seq DESC LIMIT 1)
        UNION ALL SELECT 0, decode(repeat('00', 32), 'hex')
    ) links ORDER BY links.seq DESC LIMIT 1;
    personal := sha256(salt || audit_part(convert_to(NEW.address, 'UTF8'))
        || audit_part(convert_to(NEW.user_agent, 'UTF8')) || audit_part(convert_to(NEW.detail, 'UTF8')));
    INSERT INTO audit_chain (seq, event_id, salt, personal, hash) VALUES (last.seq + 1, NEW.id, salt, personal,
        sha256(last.hash || audit_part(int8send(NEW.id)) || audit_part(timestamptz_send(NEW.at))
            || audit_part(convert_to(NEW.act, 'UTF8')) || audit_part(uuid_send(NEW.actor))
            || audit_part(uuid_send(NEW.subject)) || audit_part(uuid_send(NEW.session)) || audit_part(personal)));
    RETURN NULL;
END $$;

-- latchkey.retention = 'yes' allows rows to be deleted; 'erase', which only audit_erase sets, allows personal columns to be
-- erased.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    door text := coalesce(current_setting('latchkey.retention', true), '');
    was jsonb;
    now_is jsonb;
BEGIN
    IF TG_OP = 'DELETE' AND door = 'yes' AND TG_TABLE_NAME <> 'audit_checkpoints' THEN
        RETURN OLD;
    ELSIF TG_OP = 'UPDATE' AND door = 'erase' THEN
        was := to_jsonb(OLD) - ARRAY['address', 'user_agent', 'detail', 'salt'];
        now_is := to_jsonb(NEW) - ARRAY['address', 'user_agent', 'detail', 'salt'];
        IF was = now_is AND (TG_TABLE_NAME = 'audit_chain' AND to_jsonb(NEW) ->> 'salt' IS NULL
            OR TG_TABLE_NAME = 'audit_events' AND to_jsonb(NEW) @> '{"address": "", "user_agent": "", "detail": ""}') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit trail only grows: no % on %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON audit_chain FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_chain EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_checkpoints EXECUTE FUNCTION audit_refuse();

CREATE CONSTRAINT TRIGGER link AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_link();

-- They also fire in sessions with session_replication_role = replica.
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate, ENABLE ALWAYS TRIGGER link;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate;

-- Erases the personal columns of a deleted user's events, and the user's address from events about invitations sent to it.
-- Returns the number of events.
CREATE FUNCTION audit_erase(who uuid, invited_as text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    before text := coalesce(current_setting('latchkey.retention', true), '');
    erased bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM audit_events WHERE act = 'deleted' AND subject = who) THEN
        RAISE EXCEPTION 'only of the deleted anything is erased';
    END IF;
    -- Not by a SET clause of the function: to make one of a parameter Postgres does not know takes a superuser, and a
    -- managed database has none for us. If this fails, the setting goes back with the rest.
    PERFORM set_config('latchkey.retention', 'erase', true);
    -- In this transaction's own events nothing personal is: their links are made when it commits.
    WITH theirs AS (
        SELECT e.id FROM audit_events e JOIN audit_chain c ON c.event_id = e.id
        WHERE c.salt IS NOT NULL AND (e.actor = who OR e.actor IS NULL AND e.subject = who
            OR e.act IN ('invited', 'invitation-withdrawn') AND lower(e.detail) = lower(invited_as))
    ), links AS (
        UPDATE audit_chain SET salt = NULL WHERE event_id IN (SELECT id FROM theirs)
    ), events AS (
        UPDATE audit_events SET address = '', user_agent = '', detail = '' WHERE id IN (SELECT id FROM theirs) RETURNING 1
    )
    SELECT count(*) INTO erased FROM events;
    PERFORM set_config('latchkey.retention', before, true);
    RETURN erased;
END $$;

-- Functions that run as their owner use a fixed search path for every caller, and never a caller's temporary tables. Only
-- the role that deletes users may erase (docs/least-privilege.sql).
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_link() SET search_path = pg_catalog, %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION audit_erase(uuid, text) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION audit_erase(uuid, text) FROM PUBLIC;

-- Links the existing events, in order.
CREATE TABLE audit_before AS SELECT * FROM audit_events ORDER BY id LIMIT 0;
CREATE CONSTRAINT TRIGGER link AFTER INSERT ON audit_before DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW EXECUTE FUNCTION audit_link();
INSERT INTO audit_before SELECT * FROM audit_events ORDER BY id;
DROP TABLE audit_before;
