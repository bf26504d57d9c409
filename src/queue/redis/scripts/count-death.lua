-- Include, used by claim.lua and hand-back.lua. Counts the death of a request's worker: judgeDeath of poison-rule.ts on
-- the fields of the request's hash (a property test holds that both agree). Call it before the epoch grows.
--
-- request         key of the request's hash
-- fruitlessLimit  FRUITLESS_DEATHS_THAT_COUNT of poison-rule.ts
local function countDeath(request, fruitlessLimit)
  local epoch, inRun, advanced, last, diedAt =
    unpack(redis.call('HMGET', request, 'epoch', 'inRun', 'advanced', 'last', 'diedAt'))
  local wasInRun, hadAdvanced = inRun == epoch, advanced == epoch
  if hadAdvanced and not wasInRun then return end
  if last ~= diedAt then redis.call('HSET', request, 'diedAt', last, 'fruitless', 0, 'unstarted', 0) end
  local deathsAtSameLog = redis.call('HINCRBY', request, wasInRun and 'fruitless' or 'unstarted', 1)
  local counts = (wasInRun and not hadAdvanced) or deathsAtSameLog >= fruitlessLimit
  if counts then redis.call('HINCRBY', request, 'deaths', 1) end
end
