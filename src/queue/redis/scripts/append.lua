-- Appends events to a token log; no other script appends events of a worker. Refuses an older epoch (a worker that was
-- frozen and continues) and gaps; events that are written already are skipped, so that an append may be retried.
--
-- KEYS[1]  request        hash of the request
-- KEYS[2]  log            stream: its token log, entry ids <ordinal>-0
-- ARGV[1]  epoch          in which the worker owns the request
-- ARGV[2]  ttlMs          of both keys, until the request ends
-- ARGV[3]  endState       '', or finished or failed when the last event is the terminal one
-- ARGV[4]  firstOrdinal   of the first event; the others follow without gaps
-- ARGV[n]  event          JSON of an event, for n = 5 to the number of arguments
--
-- Returns {'ok', last}         events up to this ordinal are written
-- Returns {'gap', last + 1}    the log is shorter: append from this ordinal on
-- Returns {'fenced'}           the request has another owner, or waits for one
-- Returns {'ended'}            the request has ended
-- Returns {'gone'}             there is no such request

local request, log = KEYS[1], KEYS[2]
local epoch, ttlMs, endState, firstOrdinal = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local firstEvent = 5
local lastOrdinal = firstOrdinal + #ARGV - firstEvent

local currentEpoch, state, lastText, retentionMs =
  unpack(redis.call('HMGET', request, 'epoch', 'state', 'last', 'retention'))
if not currentEpoch then return {'gone'} end
local last = tonumber(lastText)
if currentEpoch ~= epoch then
  if state ~= 'waiting' and state ~= 'running' then return {'ended'} end
  return {'fenced'}
end
if state ~= 'running' then
  if lastOrdinal <= last then return {'ok', last} end
  return {'ended'}
end
if firstOrdinal > last + 1 then return {'gap', last + 1} end

for n = firstEvent, #ARGV do
  local event, ordinal = ARGV[n], firstOrdinal + n - firstEvent
  if ordinal > last then
    redis.call('XADD', log, ordinal .. '-0', 'e', event)
    last = ordinal
  end
end
redis.call('HSET', request, 'last', last)
if endState ~= '' then
  redis.call('HSET', request, 'state', endState)
  ttlMs = retentionMs
end
redis.call('PEXPIRE', request, ttlMs)
redis.call('PEXPIRE', log, ttlMs)
return {'ok', last}
