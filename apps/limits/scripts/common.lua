-- Shared by all scripts, which run behind it.
--
-- A hold is what one call has taken until it settles. The zset of holds has when each expires, the hash of holdings
-- what each has taken that it may give back: a line a limit, "kind|key|amount|bucket". Kinds of limits:
--   r: a window of calls     t: a window of tokens, which are corrected when the call settles
--   m: a window of money, corrected likewise, in 1e-9 USD
--   c: calls at once         s: spend in a period: what is settled, and what is held
--
-- A period's sum can be complete or not: Redis may have lost what it had, or a cap may be new. A complete one bears
-- the stamp that its limit's calls know (see Entry.stamp). Calls that began before `since` are those which the
-- database has or will have, and which are in `base`; until they are there, each is kept apart under its id (`late:…`)
-- and can be told twice. Calls that began later are simply added. `settled` is the sum of all three.
--
-- Money is counted in integers of 1e-12 USD. Lua's numbers are doubles and would lose digits above 2^53, so that
-- amounts stay strings: HINCRBY adds them exactly (64 bits), `exceeds` compares them in two halves.

local HELD, SETTLED = 'held', 'settled'
local SURE, SINCE, BASE, LATE = 'sure', 'since', 'base', 'late:'
local EXPIRED_MS = 86400000 -- how long the holds of dead processes are remembered, should they settle yet

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- A whole number as an argument of a command. Redis writes those of up to 52 bits out itself, and faster.
local function plain(number)
  return number < 4503599627370496 and number or whole(number)
end

-- Windows. A hash: the sum of each bucket, the total of all, and the oldest bucket that may be there.
-- A bucket counts until all of it has left the window: no stretch of time as long as the window, wherever
-- it begins, sees more than the limit.

local function bucket_at(now, span_ms, buckets)
  return math.floor(now * buckets / span_ms)
end

-- Forget the buckets that have left. Returns the total of the rest (nil: the window is empty) and the bucket's sum.
local function turn_window(key, bucket, buckets)
  local state = redis.call('HMGET', key, 'total', 'oldest', bucket)
  if not state[1] then return nil end
  local total, oldest, first = tonumber(state[1]), tonumber(state[2]), bucket - buckets
  if oldest >= first then return total, tonumber(state[3]) end
  if first - oldest > buckets then -- nothing has come for longer than the window
    redis.call('DEL', key)
    return nil
  end
  local gone = {}
  for number = oldest, first - 1 do gone[#gone + 1] = number end
  for _, sum in ipairs(redis.call('HMGET', key, unpack(gone))) do
    if sum then total = total - tonumber(sum) end
  end
  redis.call('HDEL', key, unpack(gone))
  redis.call('HSET', key, 'total', plain(total), 'oldest', first)
  return total, tonumber(state[3])
end

-- Money

local function halves(amount)
  return tonumber(string.sub(amount, 1, -10)) or 0, tonumber(string.sub(amount, -9))
end

-- Whether a + b + c > limit, all of them decimal integers of at most 19 digits, 0 or more.
local function exceeds(limit, a, b, c)
  if #a < 16 and #b < 16 and #c < 16 then -- below 1,000 USD each, as nearly always: their sum is exact
    if #limit > 16 then return false end
    if #limit < 16 then return tonumber(a) + tonumber(b) + tonumber(c) > tonumber(limit) end
  end
  local high_a, low_a = halves(a)
  local high_b, low_b = halves(b)
  local high_c, low_c = halves(c)
  local high, low = halves(limit)
  local over = high_a + high_b + high_c - high
  return over * 1e9 + (low_a + low_b + low_c - low) > 0
end

-- limit - a - b, as exact as a double can be: below 9,000 USD to the last digit.
local function left_of(limit, a, b)
  local high_a, low_a = halves(a)
  local high_b, low_b = halves(b)
  local high, low = halves(limit)
  return (high - high_a - high_b) * 1e9 + (low - low_a - low_b)
end

local function take_back(key, amount)
  if amount ~= '0' then redis.call('HINCRBY', key, HELD, '-' .. amount) end
end

-- Holds

local function expired_key(holdings, id)
  return holdings .. ':expired:' .. id
end

local function parts_of(taken)
  return string.gmatch(taken, '(%a)|([^|]+)|(%d+)|(%d+)')
end

-- Give back the money and the places of holds whose process died. Its requests and tokens stay counted. What the
-- calls really cost, nobody has told: their sums are complete no longer, and the next call has them counted again.
local function expire_holds(holds, holdings, now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now)) do
    local taken = redis.call('HGET', holdings, id)
    redis.call('ZREM', holds, id)
    if taken then
      redis.call('HDEL', holdings, id)
      redis.call('SET', expired_key(holdings, id), taken, 'PX', EXPIRED_MS)
      for kind, key, amount in parts_of(taken) do
        if kind == 's' then
          take_back(key, amount)
          redis.call('HDEL', key, SURE)
        end
        if kind == 'c' then redis.call('ZREM', key, id) end
      end
    end
  end
end

-- A Redis that came back with other memories than it had: what they say of calls under way is of no use.
local function begin_generation(alive, holds, holdings, generation)
  local known = redis.call('GET', alive)
  if known and string.sub(known, 1, #generation + 1) == generation .. '/' then return end
  redis.call('DEL', holds, holdings)
  redis.call('SET', alive, generation .. '/' .. whole(now_ms()))
end
