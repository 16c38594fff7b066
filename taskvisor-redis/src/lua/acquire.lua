-- ARGV: id, changes, keys. Returns the time in us, the changes, and for each key its token and last tick, or the label
-- of its owner; nil if the session is over.
local own = find_own(ARGV[1], ARGV[2])
if not own then
  return false
end

local owners = { [own.id] = own }
local function owner_of(lease)
  if owners[lease.owner] == nil then
    owners[lease.owner] = find_session(lease.owner) or false
  end
  return owners[lease.owner]
end

local claims, takes = {}, false
for n = 3, #ARGV do
  local lease = find_lease(ARGV[n])
  local owner = owner_of(lease)
  if owner and owner ~= own then
    if lease.wanted == '0' then
      lease.wanted = '1'
      save_lease(lease)
      owner.wanted = owner.wanted + 1
      save_session(owner)
    end
    table.insert(claims, { owner.label })
  else
    if not owner then
      lease.token, lease.owner, lease.wanted = math.max(lease.token + 1, now), own.id, '0'
      save_lease(lease)
      takes = true
    end
    table.insert(claims, { digits(lease.token), lease.tick })
  end
end
if takes then
  own.changes = own.changes + 1
  save_session(own)
end
return { digits(now), digits(own.changes), claims }
