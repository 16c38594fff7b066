-- ARGV: id, changes. Returns the time in us, or nil if the session is over.
local own = find_own(ARGV[1], ARGV[2])
if not own then
  return false
end
own.expiry = now + own.ttl
save_session(own)
return digits(now)
