-- 10,000 other people's sessions. The store makes its table when it is first used.
INSERT INTO session (sid, sess, expire)
SELECT md5(n::text),
       json_build_object(
         'cookie', json_build_object('originalMaxAge', 2592000000, 'expires', now() + interval '30 days',
                                     'httpOnly', true, 'path', '/'),
         'user', 'Person ' || n),
       now() + interval '30 days'
  FROM generate_series(1, 10000) n;
ANALYZE;
