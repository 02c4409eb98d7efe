-- Charge what was spent past the limiter: calls that were told of afterwards, and are in the database by now.
--
-- KEYS: 1 a mark of these calls, then the sums. ARGV: 1 ms that the mark is kept, then for each sum its stamp, the ms
--   that it is kept, how many calls are charged to it, and of each when it began (µs) and its price.
-- Returns which of the sums (from 1) are to be counted again from the database: they are complete up to later than some
--   of the calls began. All that began later is added, once for a mark. A sum that is not complete is left alone: who
--   counts it will find the calls in the database. Nor may it be taken for zero because it isn't there yet.

local is_first = redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1])
local again = {}

local function add(key, price)
  local sum = redis.pcall('HINCRBY', key, SETTLED, price)
  if type(sum) == 'table' then redis.call('HSET', key, SETTLED, '9223372036854775807') end -- more than 64 bits hold
end

local at = 2
for n = 2, #KEYS do
  local key, stamp, kept_ms, calls = KEYS[n], ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local state = redis.call('HMGET', key, SURE, SINCE, SETTLED, HELD)
  if state[1] == stamp then
    local is_earlier = false
    for call = at + 3, at + 1 + 2 * calls, 2 do
      if tonumber(ARGV[call]) < tonumber(state[2]) then
        is_earlier = true
      elseif is_first then
        add(key, ARGV[call + 1])
      end
    end
    if is_earlier then again[#again + 1] = n - 1 end
  elseif is_first and not state[3] and not state[4] then
    redis.call('HSET', key, SETTLED, '0')
    redis.call('PEXPIRE', key, kept_ms)
  end
  at = at + 3 + 2 * calls
end
return again
