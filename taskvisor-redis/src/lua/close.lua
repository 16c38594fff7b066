-- ARGV: id, channel. Its keys are free because it is gone.
local own = find_session(ARGV[1])
if own then
  redis.call('HDEL', sessions, own.id)
  if own.wanted > 0 then
    publish(ARGV[2])
  end
end
return 1
