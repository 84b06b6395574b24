SET LOCAL lock_timeout = '3s';

DROP TRIGGER deleted_is_gone ON audit_events;
DROP TRIGGER deleted_stays_gone ON users;
DROP TRIGGER id_stays ON users;
DROP FUNCTION audit_deleted_is_gone(), audit_deleted_stays_gone();
DROP INDEX audit_events_deleted;

CREATE OR REPLACE FUNCTION audit_erase(who uuid, invited_as text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
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

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_erase(uuid, text) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
