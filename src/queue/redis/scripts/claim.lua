-- @include count-death
-- A worker claims a request whose BullMQ job it holds. A request that still runs was claimed by a worker that has
-- crashed or frozen: its death is counted. The epoch grows, so that appends of the previous owner are refused.
--
-- KEYS[1]  request          hash of the request
-- KEYS[2]  waiting          hash, request id -> prompt tokens, of all that wait
-- KEYS[3]  workerRequests   set of the request ids that the worker runs
-- ARGV[1]  id               request id
-- ARGV[2]  workerId
-- ARGV[3]  ttlMs            of the request's hash
-- ARGV[4]  workerTtlMs      of the worker's set
-- ARGV[5]  fruitlessLimit   FRUITLESS_DEATHS_THAT_COUNT of poison-rule.ts
--
-- Returns {'ok', epoch, body, deaths}   claimed: the epoch to append with, JSON of the request, its counted deaths
-- Returns {'gone'}                      there is no such request
-- Returns {'ended'}                     the request has ended

local request, waiting, workerRequests = KEYS[1], KEYS[2], KEYS[3]
local id, workerId, ttlMs, workerTtlMs, fruitlessLimit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local state = redis.call('HGET', request, 'state')
redis.call('HDEL', waiting, id)
if not state then return {'gone'} end
if state ~= 'waiting' and state ~= 'running' then return {'ended'} end

if state == 'running' then countDeath(request, fruitlessLimit) end
local epoch = redis.call('HINCRBY', request, 'epoch', 1)
redis.call('HSET', request, 'state', 'running', 'worker', workerId)
redis.call('PEXPIRE', request, ttlMs)
redis.call('SADD', workerRequests, id)
redis.call('PEXPIRE', workerRequests, workerTtlMs)

local body = redis.call('HGET', request, 'body')
local deaths = tonumber(redis.call('HGET', request, 'deaths'))
return {'ok', epoch, body, deaths}
