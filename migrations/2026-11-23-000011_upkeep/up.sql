-- When an instance last ran the maintenance, so that every instance knows whether it is due, and the operator sees that it
-- runs.
CREATE TABLE upkeep (
    name text PRIMARY KEY,
    ended_at timestamptz NOT NULL,
    rows bigint NOT NULL
);

-- Deletes one batch of the oldest events of the audit trail behind a checkpoint, so that the rest still verifies. It runs
-- as its owner, so that the serving role needs no right to delete; therefore it keeps the last 30 days for every caller.
-- It stops before a link whose event is missing, so that damage is investigated and not deleted.
CREATE FUNCTION audit_forget(older_than interval, batch bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    before text := coalesce(current_setting('latchkey.retention', true), '');
    last_seq bigint;
    forgotten bigint;
BEGIN
    IF older_than < interval '30 days' THEN
        RAISE EXCEPTION 'the audit trail of the last 30 days is kept';
    END IF;
    SELECT max(oldest.seq) INTO last_seq FROM (
        SELECT c.seq, bool_and(coalesce(e.at < now() - older_than, false)) OVER (ORDER BY c.seq) AS is_old
        FROM (SELECT seq, event_id FROM audit_chain ORDER BY seq LIMIT batch) c
        LEFT JOIN audit_events e ON e.id = c.event_id
    ) oldest WHERE oldest.is_old;
    IF last_seq IS NULL THEN
        RETURN 0;
    END IF;
    -- Not by a SET clause of the function, which takes a superuser (as in audit_erase).
    PERFORM set_config('latchkey.retention', 'yes', true);
    INSERT INTO audit_checkpoints (seq, hash) SELECT seq, hash FROM audit_chain WHERE seq = last_seq;
    DELETE FROM audit_events USING audit_chain WHERE event_id = id AND seq <= last_seq;
    DELETE FROM audit_chain WHERE seq <= last_seq;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('latchkey.retention', before, true);
    RETURN forgotten;
END $$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION audit_forget(interval, bigint) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION audit_forget(interval, bigint) FROM PUBLIC;
