-- Extends the lease of a request that has a reader, or has just lost its last one. A lease that never ends stays so.
--
-- KEYS[1]  request        hash of the request
-- KEYS[2]  log            stream: its token log
-- ARGV[1]  leaseUntilMs   Unix ms until which it runs without a reader
-- ARGV[2]  ttlMs          of both keys
--
-- Returns 1   extended
-- Returns 0   the request has ended, or there is no such request

local request, log = KEYS[1], KEYS[2]
local leaseUntilMs, ttlMs = ARGV[1], ARGV[2]

local state, current = unpack(redis.call('HMGET', request, 'state', 'leaseUntil'))
if state ~= 'waiting' and state ~= 'running' then return 0 end

if current ~= '0' then redis.call('HSET', request, 'leaseUntil', leaseUntilMs) end
redis.call('PEXPIRE', request, ttlMs)
redis.call('PEXPIRE', log, ttlMs)
return 1
