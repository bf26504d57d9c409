import { FRUITLESS_DEATHS_THAT_COUNT } from '../../poison-rule.ts'

/**
 * Lua that moves a request between its states. The request's hash: `body` JSON of the GenerationRequest · `delivery
 * policy` JSON of its delivery policy, for those who need no more · `state` waiting|running|finished|failed|cancelled ·
 * `epoch` grows with each claim and each end from outside · `worker` who claimed it last · `weight` its choices ·
 * `tokens` prompt tokens · `last` ordinal of the log's last entry · `leaseUntil` ms, 0 never ends · `deadline` ms, 0
 * none · `retention` ms for which it and its log live after the end · `inRun` epoch whose worker's current run computes
 * for it · `advanced` epoch in which something of it was computed · `deaths` that count · `diedAt` the `last` at the
 * last death that may count · `fruitless` such deaths in its runs and `unstarted` before any run of it, in a row at
 * that `last`.
 */

/** A death, counted by the poison rule. */
const COUNT_DEATH = `
local function countDeath(request, epoch)
  local inRun, advanced, last, diedAt = unpack(redis.call('HMGET', request, 'inRun', 'advanced', 'last', 'diedAt'))
  local wasInRun, hadAdvanced = inRun == epoch, advanced == epoch
  if hadAdvanced and not wasInRun then return end
  if last ~= diedAt then redis.call('HSET', request, 'diedAt', last, 'fruitless', 0, 'unstarted', 0) end
  local barren = redis.call('HINCRBY', request, wasInRun and 'fruitless' or 'unstarted', 1)
  if (wasInRun and not hadAdvanced) or barren >= ${FRUITLESS_DEATHS_THAT_COUNT} then redis.call('HINCRBY', request, 'deaths', 1) end
end
`

/**
 * Said twice, it is done once.
 *
 * KEYS request, waiting
 * ARGV id, body, delivery policy, weight, promptTokens, leaseUntilMs, deadlineMs, ttlMs, waitingLimit,
 * waitingTokenLimit, freeRows, rows, retentionMs, seenWaiting
 * Returns {'ok'} | {'full', waiting, tokens}. Never refused is what could run at once: `freeRows` of all workers take
 * its `rows` and one of each that waits, or was `seenWaiting` when the rows were counted: it may have taken one since.
 */
export const ADMIT = `
if redis.call('EXISTS', KEYS[1]) == 1 then return {'ok'} end
local waiting = redis.call('HLEN', KEYS[2])
local tokens = 0
for _, value in ipairs(redis.call('HVALS', KEYS[2])) do tokens = tokens + tonumber(value) end
local runs = math.max(waiting, tonumber(ARGV[14])) + tonumber(ARGV[12]) <= tonumber(ARGV[11])
if not runs and (waiting >= tonumber(ARGV[9]) or (waiting > 0 and tokens + tonumber(ARGV[5]) > tonumber(ARGV[10]))) then
  return {'full', waiting, tokens}
end
redis.call('HSET', KEYS[1], 'body', ARGV[2], 'delivery', ARGV[3], 'state', 'waiting', 'epoch', 0, 'worker', '', 'weight', ARGV[4], 'tokens', ARGV[5],
  'last', 0, 'leaseUntil', ARGV[6], 'deadline', ARGV[7], 'inRun', -1, 'advanced', -1, 'deaths', 0, 'retention', ARGV[13])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
return {'ok'}
`

/**
 * A worker takes the request, whose job it has claimed. If the last owner is still in the books, it died with the
 * request.
 *
 * KEYS request, waiting, worker
 * ARGV id, workerId, ttlMs, workerTtlMs
 * Returns {'ok', epoch, body, deaths} | {'gone'} | {'ended'}
 */
export const CLAIM = `${COUNT_DEATH}
local state = redis.call('HGET', KEYS[1], 'state')
redis.call('HDEL', KEYS[2], ARGV[1])
if not state then return {'gone'} end
if state ~= 'waiting' and state ~= 'running' then return {'ended'} end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if state == 'running' then countDeath(KEYS[1], epoch) end
local nextEpoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return {'ok', nextEpoch, redis.call('HGET', KEYS[1], 'body'), tonumber(redis.call('HGET', KEYS[1], 'deaths'))}
`

/**
 * A worker that lives gives a request back unfinished (drain), or its supervisor does so for a dead one. The epoch
 * grows: what the old owner still writes is refused.
 *
 * KEYS request, waiting, worker
 * ARGV id, workerId, died (1 | 0), ttlMs
 * Returns 1, or 0 when the request is not this worker's (any more)
 */
export const HAND_BACK = `${COUNT_DEATH}
redis.call('SREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[1], 'state') ~= 'running' or redis.call('HGET', KEYS[1], 'worker') ~= ARGV[2] then return 0 end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if ARGV[3] == '1' then countDeath(KEYS[1], epoch) end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'state', 'waiting', 'worker', '')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], redis.call('HGET', KEYS[1], 'tokens'))
return 1
`

/**
 * A worker notes in which epoch its current run computes for requests (`inRun`, -1 for those that left the run), or
 * that something of them was computed (`advanced`). Notes of an older epoch are dropped, and so are those about a
 * request that is gone.
 *
 * KEYS request …
 * ARGV field (inRun | advanced), then per request: epoch, value
 */
export const MARK = `
for at = 1, #KEYS do
  if redis.call('HGET', KEYS[at], 'epoch') == ARGV[2 * at] then redis.call('HSET', KEYS[at], ARGV[1], ARGV[2 * at + 1]) end
end
`

/**
 * Ends a request from outside its worker: cancel, deadline, lease, poison. The epoch grows: what the worker still
 * writes is refused.
 *
 * KEYS request, log, waiting
 * ARGV id, state (failed | cancelled), event, endChannel
 * Returns 1, or 0 when it had ended or is not known
 */
export const END = `
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'waiting' and state ~= 'running' then return 0 end
local ordinal = redis.call('HINCRBY', KEYS[1], 'last', 1)
redis.call('XADD', KEYS[2], ordinal .. '-0', 'e', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'state', ARGV[2])
local retention = redis.call('HGET', KEYS[1], 'retention')
redis.call('PEXPIRE', KEYS[1], retention)
redis.call('PEXPIRE', KEYS[2], retention)
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return 1
`

/**
 * Somebody reads the request, or has just stopped: it is attended until then. A lease that never ends stays.
 *
 * KEYS request, log
 * ARGV leaseUntilMs, ttlMs
 * Returns 1, or 0 when it has ended or is not known
 */
export const RENEW_LEASE = `
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'waiting' and state ~= 'running' then return 0 end
if redis.call('HGET', KEYS[1], 'leaseUntil') ~= '0' then redis.call('HSET', KEYS[1], 'leaseUntil', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
`

/**
 * Takes an idempotency key, or says whose it is. `replaces` is a request that the caller found failed, cancelled or
 * gone.
 *
 * KEYS idempotency
 * ARGV value, ttlMs, replaces ('' for none)
 * Returns '' when the key is ours now, else its value
 */
export const CLAIM_IDEMPOTENCY = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
`

/**
 * Gives an idempotency key back: its request was not admitted.
 *
 * KEYS idempotency
 * ARGV value
 */
export const RELEASE_IDEMPOTENCY = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
`
