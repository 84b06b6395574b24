SET LOCAL lock_timeout = '3s';

DROP TABLE lab_tokens;
DROP TABLE lab_runs;
DROP INDEX sessions_lab;

CREATE OR REPLACE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Said by a transaction that changes everybody: one word instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        WHEN TG_TABLE_NAME = 'users' THEN to_jsonb(OLD) ->> 'id'
        ELSE to_jsonb(OLD) ->> 'principal'
    END);
    RETURN NULL;
END $$;
