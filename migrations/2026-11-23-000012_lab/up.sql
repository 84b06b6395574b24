SET LOCAL lock_timeout = '3s';

-- To delete a subject's, the ended ones too; nothing else is in it.
CREATE INDEX sessions_lab ON sessions (principal) WHERE kind = 'lab';

-- One visitor's run of /compare: a subject that exists for half an hour, and how its token side is set up.
CREATE TABLE lab_runs (
    -- Also the principal of its sessions.
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin')),
    disabled_at timestamptz,
    algorithm text NOT NULL DEFAULT 'EdDSA' CHECK (algorithm IN ('EdDSA', 'HS256')),
    -- Signing keys are derived from the secret and this number; those from oldest_key on are still accepted.
    signing_key integer NOT NULL DEFAULT 1,
    oldest_key integer NOT NULL DEFAULT 1,
    deny_list text NOT NULL DEFAULT 'none' CHECK (deny_list IN ('none', 'memory', 'database')),
    split boolean NOT NULL DEFAULT false,
    -- How far "let time pass" has advanced this run: its rows were aged by this, and its tokens are checked this much later.
    ahead_seconds bigint NOT NULL DEFAULT 0,
    -- The history of steps, for the page.
    steps jsonb NOT NULL DEFAULT '[]',
    step_count integer NOT NULL DEFAULT 0,
    address text NOT NULL CHECK (length(address) <= 45),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- What an issuer must record to refresh, to detect reuse and to deny: ids of tokens, never the tokens.
CREATE TABLE lab_tokens (
    jti uuid PRIMARY KEY,
    run uuid NOT NULL REFERENCES lab_runs ON DELETE CASCADE,
    family uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    denied_at timestamptz
);
CREATE INDEX lab_tokens_run ON lab_tokens (run);

CREATE OR REPLACE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Said by a transaction that changes everybody: one word instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        WHEN TG_TABLE_NAME IN ('users', 'lab_runs') THEN to_jsonb(OLD) ->> 'id'
        ELSE to_jsonb(OLD) ->> 'principal'
    END);
    RETURN NULL;
END $$;

CREATE TRIGGER announce_update AFTER UPDATE ON lab_runs FOR EACH ROW
    WHEN ((OLD.role, OLD.disabled_at) IS DISTINCT FROM (NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change();
