-- Admits a request, or refuses it when too much waits. Idempotent: a request that exists stays as it is.
-- A request that could run at once is never refused: `freeRows` of all workers are enough for its own `rows` and for
-- one row of each waiting request. `seenWaiting` requests waited when the rows were counted; those that have been
-- claimed since then use rows that were counted as free.
--
-- KEYS[1]   request              hash of the request
-- KEYS[2]   waiting              hash, request id -> prompt tokens, of all that wait
-- ARGV[1]   id                   request id
-- ARGV[2]   body                 JSON of the GenerationRequest
-- ARGV[3]   delivery             JSON of its DeliveryPolicy
-- ARGV[4]   weight               rows that are reserved for it
-- ARGV[5]   promptTokens
-- ARGV[6]   leaseUntilMs         Unix ms until which it runs without a reader; 0 for ever
-- ARGV[7]   deadlineMs           Unix ms; 0 none
-- ARGV[8]   ttlMs                of the hash, until the request ends
-- ARGV[9]   waitingLimit         requests that may wait
-- ARGV[10]  waitingTokenLimit    prompt tokens that may wait; one request alone may exceed it
-- ARGV[11]  freeRows             rows of all workers that no request uses
-- ARGV[12]  rows                 rows that this request would use
-- ARGV[13]  retentionMs          TTL of the hash and of the log after the end
-- ARGV[14]  seenWaiting          requests that waited when `freeRows` was counted
--
-- Returns {'ok'}                                     admitted, now or before
-- Returns {'full', waitingRequests, waitingTokens}   refused; what waits at present

local request, waiting = KEYS[1], KEYS[2]
local id, body, delivery, weight, promptTokens = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local leaseUntilMs, deadlineMs, ttlMs = ARGV[6], ARGV[7], ARGV[8]
local waitingLimit, waitingTokenLimit = tonumber(ARGV[9]), tonumber(ARGV[10])
local freeRows, rows, retentionMs, seenWaiting = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])

if redis.call('EXISTS', request) == 1 then return {'ok'} end

local waitingRequests = redis.call('HLEN', waiting)
local waitingTokens = 0
for _, tokens in ipairs(redis.call('HVALS', waiting)) do waitingTokens = waitingTokens + tonumber(tokens) end

local canRunNow = math.max(waitingRequests, seenWaiting) + rows <= freeRows
local isFull = waitingRequests >= waitingLimit
local isTooLarge = waitingRequests > 0 and waitingTokens + tonumber(promptTokens) > waitingTokenLimit
if not canRunNow and (isFull or isTooLarge) then return {'full', waitingRequests, waitingTokens} end

redis.call('HSET', request,
  'body', body, 'delivery', delivery, 'state', 'waiting', 'epoch', 0, 'worker', '',
  'weight', weight, 'tokens', promptTokens, 'last', 0,
  'leaseUntil', leaseUntilMs, 'deadline', deadlineMs, 'retention', retentionMs,
  'inRun', -1, 'advanced', -1, 'deaths', 0)
redis.call('PEXPIRE', request, ttlMs)
redis.call('HSET', waiting, id, promptTokens)
return {'ok'}
