/**
 * The one way into the token log. Refuses an older epoch (a worker that froze and woke), refuses gaps, takes a repeat
 * as already written.
 *
 * KEYS request, log
 * ARGV epoch, ttlMs (before the end), end ('' | finished | failed), firstOrdinal, event …   (events have the ordinals
 * firstOrdinal, firstOrdinal + 1 …)
 * Returns {'ok', last} | {'fenced'} | {'ended'} | {'gone'} | {'gap', next}: `next` is the ordinal to write from
 */
export const APPEND = `
local held = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'last')
if not held[1] then return {'gone'} end
if held[1] ~= ARGV[1] then
  if held[2] ~= 'waiting' and held[2] ~= 'running' then return {'ended'} end
  return {'fenced'}
end
local last = tonumber(held[3])
local ordinal = tonumber(ARGV[4])
if held[2] ~= 'running' then
  if ordinal + #ARGV - 5 <= last then return {'ok', last} end
  return {'ended'}
end
if ordinal > last + 1 then return {'gap', last + 1} end
for at = 5, #ARGV do
  if ordinal > last then
    redis.call('XADD', KEYS[2], ordinal .. '-0', 'e', ARGV[at])
    last = ordinal
  end
  ordinal = ordinal + 1
end
redis.call('HSET', KEYS[1], 'last', last)
local ttl = ARGV[2]
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[3])
  ttl = redis.call('HGET', KEYS[1], 'retention')
end
redis.call('PEXPIRE', KEYS[1], ttl)
redis.call('PEXPIRE', KEYS[2], ttl)
return {'ok', last}
`
