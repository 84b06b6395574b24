-- Throws away the audit trail up to link number :last_seq, as the owner of the tables. The checkpoint says where the
-- chain goes on, so `latchkey audit verify` still holds for what is left. Keep the output of `latchkey audit head`
-- and a copy of the rows elsewhere first.
BEGIN;
SET LOCAL latchkey.retention = 'yes';
INSERT INTO audit_checkpoints (seq, hash) SELECT seq, hash FROM audit_chain WHERE seq = :last_seq;
DELETE FROM audit_events USING audit_chain WHERE event_id = id AND seq <= :last_seq;
DELETE FROM audit_chain WHERE seq <= :last_seq;
COMMIT;
