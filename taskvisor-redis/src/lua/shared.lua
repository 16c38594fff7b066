-- What all scripts share. KEYS[1] is the hash of the sessions of a fleet, and KEYS[2] that of its leases.
--
-- Session: id  -> "<expiry, us> <time to live, us> <changes> <wanted keys> <label>"
-- Lease:   key -> "<token> <last tick, 20 digits, or -> <1 if somebody was refused, or 0> <id of the session, or ->"
local sessions, leases = KEYS[1], KEYS[2]

-- It removes nothing. A replica, or a server that cannot write now, refuses it: none may answer from old data.
redis.call('HDEL', sessions, '')

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Numbers are exact below 2^53; the time in us is until the year 2255.
local function digits(number)
  return string.format('%.0f', number)
end

local function save_session(session)
  local times = digits(session.expiry) .. ' ' .. digits(session.ttl)
  local counts = digits(session.changes) .. ' ' .. digits(session.wanted)
  redis.call('HSET', sessions, session.id, times .. ' ' .. counts .. ' ' .. session.label)
end

-- Returns a session that is live, or nil. One that is over is removed, so that no step of the clock revives it.
local function find_session(id)
  local row = redis.call('HGET', sessions, id)
  if not row then
    return nil
  end
  local expiry, ttl, changes, wanted, label = string.match(row, '^(%d+) (%d+) (%d+) (%d+) (.*)$')
  local session = {
    id = id,
    expiry = tonumber(expiry),
    ttl = tonumber(ttl),
    changes = tonumber(changes),
    wanted = tonumber(wanted),
    label = label,
  }
  if now >= session.expiry then
    redis.call('HDEL', sessions, id)
    return nil
  end
  return session
end

-- Returns the session of the caller, or nil. It knows how often the session has taken or freed keys. A server that
-- knows of fewer times has lost data, and may have given its keys to others: the session is over then.
local function find_own(id, changes)
  local session = find_session(id)
  if session and session.changes < tonumber(changes) then
    redis.call('HDEL', sessions, id)
    return nil
  end
  return session
end

local function save_lease(lease)
  local row = { digits(lease.token), lease.tick, lease.wanted, lease.owner }
  redis.call('HSET', leases, lease.key, table.concat(row, ' '))
end

local function find_lease(key)
  local row = redis.call('HGET', leases, key)
  if not row then
    return { key = key, token = 0, tick = '-', wanted = '0', owner = '-' }
  end
  local token, tick, wanted, owner = string.match(row, '^(%d+) (%S+) ([01]) (%S+)$')
  return { key = key, token = tonumber(token), tick = tick, wanted = wanted, owner = owner }
end

-- A hint, so it is no matter if it is not permitted.
local function publish(channel)
  redis.pcall('PUBLISH', channel, '')
end
