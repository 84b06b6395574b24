-- A role for the application that can write the audit trail and cannot change it, nor the schema. Run as the owner of the
-- tables, in Latchkey's database, after `latchkey migrate`, and again after each upgrade that brings tables. Migrations are
-- the owner's: run `latchkey migrate` as the owner, and serve as this role. Give it a password of your own. To make it, the
-- owner needs CREATEROLE; or let somebody else make it before.
BEGIN;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'latchkey_app') THEN
        CREATE ROLE latchkey_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END $$;
-- Before PostgreSQL 15 everybody may.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO latchkey_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO latchkey_app;
-- Erases the trail of a user whom the same transaction has deleted, and of no user who exists: docs/decisions/deleted-people.md.
GRANT EXECUTE ON FUNCTION audit_erase(uuid, text) TO latchkey_app;
-- For LATCHKEY__AUDIT__KEEP. It forgets nothing of the last 30 days, and leaves a checkpoint.
GRANT EXECUTE ON FUNCTION audit_forget(interval, bigint) TO latchkey_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO latchkey_app;
REVOKE UPDATE, DELETE ON audit_events FROM latchkey_app;
REVOKE INSERT, UPDATE, DELETE ON audit_chain, audit_checkpoints, __diesel_schema_migrations FROM latchkey_app;
COMMIT;
