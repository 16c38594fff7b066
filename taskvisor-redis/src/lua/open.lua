-- ARGV: id, time to live in us, label. Forgets sessions that are over. Returns the time in us.
for _, id in ipairs(redis.call('HKEYS', sessions)) do
  find_session(id)
end
local ttl = tonumber(ARGV[2])
save_session({ id = ARGV[1], expiry = now + ttl, ttl = ttl, changes = 0, wanted = 0, label = ARGV[3] })
return digits(now)
