-- ARGV: id, changes, key, token, tick in 20 digits. Returns 1 if it was stored, or 0, or nil if the session is over.
local own = find_own(ARGV[1], ARGV[2])
if not own then
  return false
end
local lease, tick = find_lease(ARGV[3]), ARGV[5]
local is_owned = lease.owner == own.id and digits(lease.token) == ARGV[4]
if not is_owned or (lease.tick ~= '-' and tick <= lease.tick) then
  return 0
end
lease.tick = tick
save_lease(lease)
return 1
