-- Deletes the audit trail up to link number :last_seq. Run it as the owner of the tables. The checkpoint records where the
-- chain continues, so `latchkey audit verify` holds for the rest. First store the output of `latchkey audit head` and a copy
-- of the rows elsewhere.
BEGIN;
SET LOCAL latchkey.retention = 'yes';
INSERT INTO audit_checkpoints (seq, hash) SELECT seq, hash FROM audit_chain WHERE seq = :last_seq;
DELETE FROM audit_events USING audit_chain WHERE event_id = id AND seq <= :last_seq;
DELETE FROM audit_chain WHERE seq <= :last_seq;
COMMIT;
