SET LOCAL lock_timeout = '3s';

-- Only the trail of a deleted user is erased (docs/decisions/deleted-people.md). A role that may write `audit_events` and
-- `users` could otherwise write a `deleted` event about any user and have their trail erased. Older versions of the program
-- satisfy these conditions: they delete the user, write `deleted`, and erase, in one transaction.

-- For the triggers below and for `latchkey audit verify`: there are few of these among many events.
CREATE INDEX audit_events_deleted ON audit_events (subject) WHERE act = 'deleted';

-- Each of the two triggers below looks for what a concurrent transaction of the other may be about to commit, so both
-- take one advisory lock first and look afterwards. Inserting users shares it: two registrations never wait for each
-- other. It is one lock and not one for each id, because an import inserts many users in one transaction.

-- A `deleted` event must be about a user who does not exist any more.
CREATE FUNCTION audit_deleted_is_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7223372036854775806);
    IF NEW.subject IS NULL OR EXISTS (SELECT FROM users WHERE id = NEW.subject) THEN
        RAISE EXCEPTION 'user % exists: a "deleted" event is written after the user is deleted', NEW.subject
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

-- The id of a deleted user is not used again, and ids do not change, so a user whose trail was erased cannot come back.
CREATE FUNCTION audit_deleted_stays_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'the id of a user never changes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7223372036854775806);
    IF EXISTS (SELECT FROM audit_events WHERE act = 'deleted' AND subject = NEW.id) THEN
        RAISE EXCEPTION 'user % was deleted: the id is not used again', NEW.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER deleted_is_gone AFTER INSERT ON audit_events
    FOR EACH ROW WHEN (NEW.act = 'deleted') EXECUTE FUNCTION audit_deleted_is_gone();
CREATE TRIGGER deleted_stays_gone AFTER INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION audit_deleted_stays_gone();
CREATE TRIGGER id_stays AFTER UPDATE OF id ON users
    FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) EXECUTE FUNCTION audit_deleted_stays_gone();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER deleted_is_gone;
ALTER TABLE users ENABLE ALWAYS TRIGGER deleted_stays_gone, ENABLE ALWAYS TRIGGER id_stays;

-- As before, with four more rules: the user does not exist; their `deleted` event was written in this transaction; an
-- address that a user has is not erased from invitations; and the session in an administrator's event about ending a
-- session of the user is erased, too.
CREATE OR REPLACE FUNCTION audit_erase(who uuid, invited_as text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    before text := coalesce(current_setting('latchkey.retention', true), '');
    erased bigint;
BEGIN
    -- The triggers see to it that this stays so until the commit, and after it.
    IF EXISTS (SELECT FROM users WHERE id = who) THEN
        RAISE EXCEPTION 'user % exists: only the trail of deleted users is erased', who
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- An event is linked when its transaction commits: one without a link is of this transaction.
    IF NOT EXISTS (SELECT FROM audit_events e WHERE e.act = 'deleted' AND e.subject = who
        AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.event_id = e.id)) THEN
        RAISE EXCEPTION 'no "deleted" event about user % was written in this transaction: only the trail of deleted users is erased', who
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Not by a SET clause of the function: to make one of a parameter Postgres does not know takes a superuser, and a
    -- managed database has none for us. If this fails, the setting goes back with the rest.
    PERFORM set_config('latchkey.retention', 'erase', true);
    -- In this transaction's own events nothing personal is: their links are made when it commits.
    WITH theirs AS (
        SELECT e.id FROM audit_events e JOIN audit_chain c ON c.event_id = e.id
        WHERE c.salt IS NOT NULL AND (e.actor = who OR e.actor IS NULL AND e.subject = who
            OR e.subject = who AND e.act = 'session-revoked'
            OR e.act IN ('invited', 'invitation-withdrawn') AND lower(e.detail) = lower(invited_as)
                AND NOT EXISTS (SELECT FROM users WHERE lower(email) = lower(invited_as)))
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
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY['audit_erase(uuid, text)', 'audit_deleted_is_gone()', 'audit_deleted_stays_gone()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', signature, current_schema());
    END LOOP;
END $$;
