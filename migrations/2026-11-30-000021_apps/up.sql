-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Named sets of users.
CREATE TABLE groups (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9._-]{1,64}$'),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 400),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE group_members (
    group_name text NOT NULL REFERENCES groups ON UPDATE CASCADE ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    since timestamptz NOT NULL DEFAULT now(),
    -- The administrator; NULL: the operator on the command line, or an administrator whose account was deleted.
    added_by uuid REFERENCES users ON DELETE SET NULL,
    PRIMARY KEY (group_name, user_id)
);

-- The groups of a user are read with each session.
CREATE INDEX group_members_user ON group_members (user_id, group_name);
CREATE INDEX group_members_added_by ON group_members (added_by) WHERE added_by IS NOT NULL;

-- Web applications behind Latchkey. The id is the scope of the keys that open the app.
CREATE TABLE apps (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    enabled boolean NOT NULL DEFAULT true,
    mode text NOT NULL DEFAULT 'proxy' CHECK (mode IN ('proxy', 'forward-auth')),
    upstream text CHECK (upstream ~ '^https?://[^/?#@]+$'),
    -- Certificates in PEM; NULL: those of the system.
    upstream_ca text,
    remote_user text NOT NULL DEFAULT 'id' CHECK (remote_user IN ('id', 'email')),
    -- The names of the headers for user, email, name and groups, in this order.
    header_names text[] NOT NULL DEFAULT '{Remote-User,Remote-Email,Remote-Name,Remote-Groups}'
        CHECK (cardinality(header_names) = 4 AND array_position(header_names, NULL) IS NULL),
    also_from text[] NOT NULL DEFAULT '{}' CHECK (array_position(also_from, NULL) IS NULL),
    app_cookies text[] NOT NULL DEFAULT '{}' CHECK (array_position(app_cookies, NULL) IS NULL),
    ignore_case boolean NOT NULL DEFAULT false,
    explain text NOT NULL DEFAULT 'reason' CHECK (explain IN ('off', 'reason', 'groups')),
    -- In bytes; NULL: unlimited.
    max_body bigint CHECK (max_body > 0),
    connect_ms integer NOT NULL CHECK (connect_ms > 0),
    head_ms integer NOT NULL CHECK (head_ms > 0),
    idle_ms integer NOT NULL CHECK (idle_ms > 0),
    max_in_flight integer NOT NULL CHECK (max_in_flight > 0),
    host text NOT NULL DEFAULT 'kept' CHECK (host IN ('kept', 'upstream')),
    close_code integer NOT NULL CHECK (close_code BETWEEN 1000 AND 4999),
    source text NOT NULL DEFAULT 'pages' CHECK (source IN ('pages', 'file')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (upstream IS NOT NULL OR mode = 'forward-auth'),
    CHECK (upstream_ca IS NULL OR upstream LIKE 'https:%')
);

-- The origins of an app. Only one app for each host: apps on one host share cookies and scripts, on all ports.
CREATE TABLE app_origins (
    origin text PRIMARY KEY CHECK (origin ~ '^https://[^/?#@]+$' OR origin ~ '^http://[^/?#@:]+[.]localhost(:[0-9]+)?$'),
    app uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    host text NOT NULL UNIQUE CHECK (host = lower(host) AND host !~ '[/:?#@]'),
    -- In the order in which they were written; the first is the one that links lead to.
    position integer NOT NULL,
    UNIQUE (app, position)
);

-- Who may do what in an app. The first rule that matches a request decides.
CREATE TABLE app_rules (
    app uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    -- Empty: all methods.
    methods text[] NOT NULL DEFAULT '{}' CHECK (array_position(methods, NULL) IS NULL),
    path_kind text NOT NULL DEFAULT 'all' CHECK (path_kind IN ('all', 'exact', 'below')),
    path text CHECK (path LIKE '/%'),
    -- Empty: every IP address.
    networks text[] NOT NULL DEFAULT '{}' CHECK (array_position(networks, NULL) IS NULL),
    access text NOT NULL CHECK (access IN ('open', 'signed-in', 'listed')),
    groups text[] NOT NULL DEFAULT '{}' CHECK (array_position(groups, NULL) IS NULL),
    users uuid[] NOT NULL DEFAULT '{}' CHECK (array_position(users, NULL) IS NULL),
    role text CHECK (role IN ('member', 'admin')),
    factor text NOT NULL DEFAULT 'any' CHECK (factor IN ('any', 'two', 'passkey')),
    fresh_seconds integer CHECK (fresh_seconds > 0),
    tokens boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 400),
    PRIMARY KEY (app, position),
    CHECK ((path_kind = 'all') = (path IS NULL)),
    -- An empty list is an error, and so is a list beside another kind of access.
    CHECK ((access = 'listed') = (cardinality(groups) > 0 OR cardinality(users) > 0 OR role IS NOT NULL)),
    CHECK (access <> 'open' OR (factor = 'any' AND fresh_seconds IS NULL))
);

-- Whether a group is in use.
CREATE INDEX app_rules_groups ON app_rules USING gin (groups);

-- Handoffs on their way from the portal to an app's origin. The first attempt to exchange a code uses it up.
CREATE TABLE app_entries (
    code_hash bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    session uuid NOT NULL,
    app uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    origin text NOT NULL REFERENCES app_origins ON DELETE CASCADE,
    state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
    path text NOT NULL CHECK (path LIKE '/%' AND length(path) <= 2048),
    proved_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- A session has a bounded number of entries; the oldest are deleted.
CREATE INDEX app_entries_session ON app_entries (session, created_at);
CREATE INDEX app_entries_app ON app_entries (app);
CREATE INDEX app_entries_origin ON app_entries (origin);
CREATE INDEX app_entries_expired ON app_entries (expires_at);

-- Instances cache all apps under one topic, announced like a principal. Versions that do not know apps read it as
-- a principal without sessions.
CREATE FUNCTION announce_apps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', 'a4b5d0c2-3f6e-5d17-9c08-1a7c4b3e0021');
    RETURN NULL;
END $$;

CREATE TRIGGER announce_apps AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON apps
    FOR EACH STATEMENT EXECUTE FUNCTION announce_apps();
CREATE TRIGGER announce_apps AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON app_origins
    FOR EACH STATEMENT EXECUTE FUNCTION announce_apps();
CREATE TRIGGER announce_apps AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON app_rules
    FOR EACH STATEMENT EXECUTE FUNCTION announce_apps();

-- The groups and the factors of a user are read with each session. Unlike announce_change, an
-- insertion also changes what is cached.
CREATE FUNCTION announce_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('latchkey', OLD.user_id::text);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.user_id <> OLD.user_id) THEN
        PERFORM pg_notify('latchkey', NEW.user_id::text);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER announce_user AFTER INSERT OR DELETE ON group_members
    FOR EACH ROW EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_user_update AFTER UPDATE ON group_members FOR EACH ROW
    WHEN ((OLD.group_name, OLD.user_id) IS DISTINCT FROM (NEW.group_name, NEW.user_id))
    EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_truncate AFTER TRUNCATE ON group_members EXECUTE FUNCTION announce_everything();

-- An authenticator app that is not confirmed yet is not a factor.
CREATE TRIGGER announce_user_update AFTER UPDATE ON totp FOR EACH ROW
    WHEN ((OLD.user_id, OLD.active_at IS NULL) IS DISTINCT FROM (NEW.user_id, NEW.active_at IS NULL))
    EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_user_insert AFTER INSERT ON totp FOR EACH ROW
    WHEN (NEW.active_at IS NOT NULL) EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_user_delete AFTER DELETE ON totp FOR EACH ROW
    WHEN (OLD.active_at IS NOT NULL) EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_truncate AFTER TRUNCATE ON totp EXECUTE FUNCTION announce_everything();

CREATE TRIGGER announce_user AFTER INSERT OR DELETE ON passkeys
    FOR EACH ROW EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_user_update AFTER UPDATE ON passkeys FOR EACH ROW
    WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id) EXECUTE FUNCTION announce_user();
CREATE TRIGGER announce_truncate AFTER TRUNCATE ON passkeys EXECUTE FUNCTION announce_everything();
