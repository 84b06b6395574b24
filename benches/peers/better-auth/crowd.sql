-- 10,000 other people and their sessions.
INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
SELECT 'person-' || n, 'Person ' || n, 'person' || n || '@example.org', true, now(), now()
  FROM generate_series(1, 10000) n;
INSERT INTO session (id, token, "userId", "expiresAt", "ipAddress", "userAgent", "createdAt", "updatedAt")
SELECT 'session-' || n, md5(n::text), 'person-' || n, now() + interval '7 days', '192.0.2.7', 'Mozilla/5.0', now(), now()
  FROM generate_series(1, 10000) n;
ANALYZE;
