-- Claims an idempotency key, or returns the value that holds it.
--
-- KEYS[1]  idempotency   string: the value that holds the key
-- ARGV[1]  value         of the caller
-- ARGV[2]  ttlMs         of the key
-- ARGV[3]  replaces      value whose request the caller found failed, cancelled or gone; '' for none
--
-- Returns ''     the caller's value holds the key now
-- Returns held   another value holds it

local idempotency = KEYS[1]
local value, ttlMs, replaces = ARGV[1], ARGV[2], ARGV[3]

local held = redis.call('GET', idempotency)
if held and held ~= replaces then return held end
redis.call('SET', idempotency, value, 'PX', ttlMs)
return ''
