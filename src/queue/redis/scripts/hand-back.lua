-- @include count-death
-- Puts a running request back into the queue: for a worker that drains, or for one that died.
-- The epoch grows, so that appends of the previous owner are refused.
--
-- KEYS[1]  request          hash of the request
-- KEYS[2]  waiting          hash, request id -> prompt tokens, of all that wait
-- KEYS[3]  workerRequests   set of the request ids that the worker runs
-- ARGV[1]  id               request id
-- ARGV[2]  workerId
-- ARGV[3]  hasDied          1 when the worker died, 0 when it drains
-- ARGV[4]  ttlMs            of the request's hash
-- ARGV[5]  fruitlessLimit   FRUITLESS_DEATHS_THAT_COUNT of poison-rule.ts
--
-- Returns 1   the request waits again
-- Returns 0   this worker does not own the request (any more)

local request, waiting, workerRequests = KEYS[1], KEYS[2], KEYS[3]
local id, workerId, hasDied, ttlMs, fruitlessLimit = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4], tonumber(ARGV[5])

redis.call('SREM', workerRequests, id)
local state, owner, promptTokens = unpack(redis.call('HMGET', request, 'state', 'worker', 'tokens'))
if state ~= 'running' or owner ~= workerId then return 0 end

if hasDied then countDeath(request, fruitlessLimit) end
redis.call('HINCRBY', request, 'epoch', 1)
redis.call('HSET', request, 'state', 'waiting', 'worker', '')
redis.call('PEXPIRE', request, ttlMs)
redis.call('HSET', waiting, id, promptTokens)
return 1
