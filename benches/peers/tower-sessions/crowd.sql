-- 10,000 other people's sessions, each as long as a real one. An id is 128 bits in base64.
INSERT INTO tower_sessions.session (id, data, expiry_date)
SELECT rtrim(translate(encode(decode(md5(n::text), 'hex'), 'base64'), '+/', '-_'), '='),
       decode(repeat(md5(n::text), 4), 'hex'), now() + interval '1 day'
  FROM generate_series(1, 10000) n;
ANALYZE;
