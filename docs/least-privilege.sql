-- Creates a role for the application that can add to the audit trail but change neither the trail nor the schema. Run this
-- as the owner of the tables, in Latchkey's database, after `latchkey migrate`, and again after each upgrade that adds
-- tables. Run `latchkey migrate` as the owner and `latchkey serve` as this role. Give the role a password. To create it, the
-- owner needs CREATEROLE; otherwise let a superuser create it first.
BEGIN;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'latchkey_app') THEN
        CREATE ROLE latchkey_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END $$;
-- Before PostgreSQL 15, every role has this right.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO latchkey_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO latchkey_app;
-- Erases the trail of a user that the same transaction has deleted: docs/decisions/deleted-people.md.
GRANT EXECUTE ON FUNCTION audit_erase(uuid, text) TO latchkey_app;
-- For LATCHKEY__AUDIT__KEEP. It keeps the last 30 days and writes a checkpoint.
GRANT EXECUTE ON FUNCTION audit_forget(interval, bigint) TO latchkey_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO latchkey_app;
REVOKE UPDATE, DELETE ON audit_events FROM latchkey_app;
REVOKE INSERT, UPDATE, DELETE ON audit_chain, audit_checkpoints, __diesel_schema_migrations FROM latchkey_app;
COMMIT;
