-- Hold again, for a call under way, what Redis has lost. Nothing is refused: the call was let in before.
--
-- KEYS: 1 the holds, 2 the holdings, 3 since when the customer is known, then a key for each limit.
-- ARGV: 1 the hold's id, 2 the call's tokens, 3 its spend, 4 the generation of Redis's memory, 5 ms until
--   the hold expires, then for each limit kind, limit, ms, buckets or stamp (see admit.lua). Windows are not filled again.
-- Returns 1; 0 where it is held already.

local id, spend, now = ARGV[1], ARGV[3], now_ms()
local expires_at = whole(now + tonumber(ARGV[5]))

begin_generation(KEYS[3], KEYS[1], KEYS[2], ARGV[4])
if redis.call('HEXISTS', KEYS[2], id) == 1 then return 0 end

local taken = {}
for at = 6, #ARGV, 4 do
  local kind, key = ARGV[at], KEYS[(at - 6) / 4 + 4]
  if kind == 's' then
    redis.call('HINCRBY', key, HELD, spend)
    redis.call('PEXPIRE', key, ARGV[at + 2])
    taken[#taken + 1] = 's|' .. key .. '|' .. spend .. '|0'
  elseif kind == 'c' then
    redis.call('ZADD', key, expires_at, id)
    taken[#taken + 1] = 'c|' .. key .. '|1|0'
  end
end
redis.call('HSET', KEYS[2], id, table.concat(taken, '\n'))
redis.call('ZADD', KEYS[1], expires_at, id)
return 1
