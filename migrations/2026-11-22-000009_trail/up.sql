-- Whoever holds a row for long must not make everybody wait for us: then it is tried again.
SET LOCAL lock_timeout = '3s';

-- The trail only grows, and shows when somebody with more rights changed it all the same (docs/decisions/audit-chain.md).
-- A link a row: seq has no gaps, and each hash covers the one before.
CREATE TABLE audit_chain (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    event_id bigint NOT NULL UNIQUE,
    -- What is personal is covered through a salted digest; without the salt it says nothing and the chain still holds.
    salt bytea CHECK (octet_length(salt) = 32),
    personal bytea NOT NULL CHECK (octet_length(personal) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- Where the chain begins once older events were thrown away: the last link that went.
CREATE TABLE audit_checkpoints (
    seq bigint PRIMARY KEY,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at timestamptz NOT NULL DEFAULT now()
);

-- Each part says whether it is there and how long it is, so that no two rows read alike.
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

-- latchkey.retention = 'yes' lets rows go; 'erase', set by audit_erase alone, lets what is personal go.
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

-- Not even a session that plays a replica gets around them.
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate, ENABLE ALWAYS TRIGGER link;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER refuse, ENABLE ALWAYS TRIGGER refuse_truncate;

-- Takes what is personal out of the events of somebody who was deleted, and their address out of the invitations
-- sent to it. Answers how many.
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

-- Functions that run as their owner look nowhere else, whoever calls them: least of all among somebody's temporary
-- tables. Only who deletes people may erase (docs/least-privilege.sql).
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_link() SET search_path = pg_catalog, %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION audit_erase(uuid, text) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION audit_erase(uuid, text) FROM PUBLIC;

-- What happened until now: the same links, made in order.
CREATE TABLE audit_before AS SELECT * FROM audit_events ORDER BY id LIMIT 0;
CREATE CONSTRAINT TRIGGER link AFTER INSERT ON audit_before DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW EXECUTE FUNCTION audit_link();
INSERT INTO audit_before SELECT * FROM audit_events ORDER BY id;
DROP TABLE audit_before;
