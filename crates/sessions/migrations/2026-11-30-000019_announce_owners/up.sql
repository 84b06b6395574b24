-- As 000004 makes it today: databases from before have a function here that knows the tables of one application.
CREATE OR REPLACE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Set by a transaction that ends the sessions of all principals: one message instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        ELSE to_jsonb(OLD) ->> coalesce(TG_ARGV[0], 'principal')
    END);
    RETURN NULL;
END $$;
