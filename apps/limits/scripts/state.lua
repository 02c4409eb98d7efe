-- How much of each limit is used and held.
--
-- KEYS: 1 the holds, 2 the holdings, then a key for each limit.
-- ARGV: for each limit its kind, ms of the window, buckets of the window.
-- Returns for each limit {used, held, the stamp of its sum}.

local now = now_ms()
expire_holds(KEYS[1], KEYS[2], now)

local states = {}
for at = 1, #ARGV, 3 do
  local kind, key = ARGV[at], KEYS[#states + 3]
  local used, held, stamp = '0', '0', ''
  if kind == 'c' then
    used = whole(redis.call('ZCOUNT', key, '(' .. whole(now), '+inf'))
  elseif kind == 's' then
    local sums = redis.call('HMGET', key, SETTLED, HELD, SURE)
    used, held, stamp = sums[1] or used, sums[2] or held, sums[3] or stamp
  else
    local span, buckets = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    used = whole(turn_window(key, bucket_at(now, span, buckets), buckets) or 0)
  end
  states[#states + 1] = {used, held, stamp}
end
return states
