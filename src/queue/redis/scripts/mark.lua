-- A worker records in which epoch its current run computes for requests (`inRun`; -1 for those that have left the run),
-- or in which epoch something of them was computed (`advanced`). Marks of an older epoch are ignored, and so are marks
-- of a request that is gone.
--
-- KEYS[n]          request   hash of a request, for n = 1 to the number of keys
-- ARGV[1]          field     inRun or advanced
-- ARGV[2 * n]      epoch     in which the worker owns KEYS[n]
-- ARGV[2 * n + 1]  value     of the field
--
-- Returns nothing

local field = ARGV[1]
for n = 1, #KEYS do
  local request, epoch, value = KEYS[n], ARGV[2 * n], ARGV[2 * n + 1]
  if redis.call('HGET', request, 'epoch') == epoch then redis.call('HSET', request, field, value) end
end
