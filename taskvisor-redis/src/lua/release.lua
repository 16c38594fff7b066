-- ARGV: id, changes, channel, then keys, each with its token. Returns the changes, or nil if the session is over.
local own = find_own(ARGV[1], ARGV[2])
if not own then
  return false
end
local wanted, frees = 0, false
for n = 4, #ARGV, 2 do
  local lease = find_lease(ARGV[n])
  if lease.owner == own.id and digits(lease.token) == ARGV[n + 1] then
    wanted = wanted + tonumber(lease.wanted)
    lease.owner, lease.wanted = '-', '0'
    save_lease(lease)
    frees = true
  end
end
if frees then
  own.changes = own.changes + 1
  own.wanted = math.max(own.wanted - wanted, 0)
  save_session(own)
end
if wanted > 0 then
  publish(ARGV[3])
end
return digits(own.changes)
