-- 10,000 other people's sessions, for a day, which is how long the store keeps one by default.
for n = 1, 10000 do
  redis.call("SET", redis.sha1hex(n) .. redis.sha1hex(-n):sub(1, 24), '{"name":"\\"Person ' .. n .. '\\""}', "EX", 86400)
end
return redis.call("DBSIZE")
