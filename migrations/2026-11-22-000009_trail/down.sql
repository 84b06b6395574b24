SET LOCAL lock_timeout = '3s';

DROP TRIGGER link ON audit_events;
DROP TRIGGER refuse ON audit_events;
DROP TRIGGER refuse_truncate ON audit_events;
DROP TABLE audit_chain, audit_checkpoints;
DROP FUNCTION audit_erase(uuid, text), audit_link(), audit_refuse(), audit_part(bytea);
