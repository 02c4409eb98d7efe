-- Shared by admit.lua and settle.lua.
--
-- Money is counted in integers of 1e-12 USD. Lua's numbers are doubles and would lose digits above 2^53, so
-- amounts stay strings: HINCRBY adds them exactly (64 bits), and `above` compares them as text.

local HELD, SETTLED = 'held', 'settled'
local TOMBSTONE_MS = 86400000 -- how long the holds of dead processes are remembered, should they settle yet

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whether the decimal integer string a, 0 or more, is greater than b.
local function above(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

local function negative(amount)
  if amount == '0' then return '0' end
  return '-' .. amount
end

-- A window is a hash: the sum of each of its buckets, their total, and the oldest bucket that may be there.
-- A bucket counts until all of it has left the window: never more than the limit passes in any stretch of time
-- as long as the window.
local function bucket_of(now, span_ms, buckets)
  return math.floor(now * buckets / span_ms)
end

-- Forget the buckets that have left the window. Returns the total of the rest.
local function turn_window(key, bucket, buckets)
  local state = redis.call('HMGET', key, 'total', 'oldest')
  if not state[1] then return 0 end
  local total, oldest, first = tonumber(state[1]), tonumber(state[2]), bucket - buckets
  if oldest >= first then return total end
  if first - oldest > buckets then -- nothing has come for longer than the window
    redis.call('DEL', key)
    return 0
  end
  local gone = {}
  for number = oldest, first - 1 do gone[#gone + 1] = number end
  for _, sum in ipairs(redis.call('HMGET', key, unpack(gone))) do
    if sum then total = total - tonumber(sum) end
  end
  redis.call('HDEL', key, unpack(gone))
  redis.call('HSET', key, 'total', string.format('%d', total), 'oldest', first)
  return total
end

-- What one hold has taken, as written down in the hash of holds: "kind|key|amount|bucket" separated by newlines.
local function parts_of(taken)
  local parts = {}
  for kind, key, amount, bucket in string.gmatch(taken, '(%a)|([^|]+)|(%d+)|(%d+)') do
    parts[#parts + 1] = {kind = kind, key = key, amount = amount, bucket = bucket}
  end
  return parts
end

-- Give back the money and the places of a hold whose process died. Its requests and tokens stay counted.
local function expire(holds, holdings, id, now)
  local taken = redis.call('HGET', holdings, id)
  redis.call('ZREM', holds, id)
  if not taken then return end
  if string.sub(taken, 1, 1) == '!' then -- remembered long enough
    redis.call('HDEL', holdings, id)
    return
  end
  for _, part in ipairs(parts_of(taken)) do
    if part.kind == 's' then redis.call('HINCRBY', part.key, HELD, negative(part.amount)) end
    if part.kind == 'c' then redis.call('ZREM', part.key, id) end
  end
  redis.call('HSET', holdings, id, '!' .. taken)
  redis.call('ZADD', holds, now + TOMBSTONE_MS, id)
end
