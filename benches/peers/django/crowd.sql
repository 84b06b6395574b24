-- 10,000 other people and their sessions, each as long as a real one.
INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
SELECT 'person' || n, '!', 'Person', n::text, 'person' || n || '@example.org', false, false, true, now()
  FROM generate_series(1, 10000) n;
INSERT INTO django_session (session_key, session_data, expire_date)
SELECT md5(n::text), repeat(md5(n::text), 8), now() + interval '14 days'
  FROM generate_series(1, 10000) n;
ANALYZE;
