-- Releases an idempotency key whose request was not admitted; without effect when another value holds it.
--
-- KEYS[1]  idempotency   string: the value that holds the key
-- ARGV[1]  value         of the caller
--
-- Returns nothing

local idempotency = KEYS[1]
local value = ARGV[1]

if redis.call('GET', idempotency) == value then redis.call('DEL', idempotency) end
