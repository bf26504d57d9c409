-- Ends a request from outside its worker: cancel, deadline, lease, poison. The epoch grows, so that appends of its
-- worker are refused. Publishes the request id, so that the worker stops computing.
--
-- KEYS[1]  request      hash of the request
-- KEYS[2]  log          stream: its token log
-- KEYS[3]  waiting      hash, request id -> prompt tokens, of all that wait
-- ARGV[1]  id           request id
-- ARGV[2]  endState     failed or cancelled
-- ARGV[3]  event        JSON of the terminal event
-- ARGV[4]  endChannel   Pub/Sub channel
--
-- Returns 1   ended now
-- Returns 0   it had ended before, or there is no such request

local request, log, waiting = KEYS[1], KEYS[2], KEYS[3]
local id, endState, event, endChannel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local state, retentionMs = unpack(redis.call('HMGET', request, 'state', 'retention'))
if state ~= 'waiting' and state ~= 'running' then return 0 end

local ordinal = redis.call('HINCRBY', request, 'last', 1)
redis.call('XADD', log, ordinal .. '-0', 'e', event)
redis.call('HINCRBY', request, 'epoch', 1)
redis.call('HSET', request, 'state', endState)
redis.call('PEXPIRE', request, retentionMs)
redis.call('PEXPIRE', log, retentionMs)
redis.call('HDEL', waiting, id)
redis.call('PUBLISH', endChannel, id)
return 1
