-- Put into a period's sum what the database has of it.
--
-- KEYS: 1 the holds, 2 the holdings, 3 since when the customer is known, 4 the sum.
-- ARGV: 1 the generation, 2 the stamp, 3 `since`, 4 the sum of all calls in the database that began before, 5 what
--   `base` was when that was asked ("": the sum was not complete), 6 ms that the sum is kept, then the ids of calls
--   that are in the database's sum: they need not be kept apart any more.
-- Returns 1; 0 where somebody else has done it meanwhile.

local generation, stamp, since, base, base_before, kept_ms = unpack(ARGV, 1, 6)

local function add(amount)
  if amount ~= '0' then redis.call('HINCRBY', KEYS[4], SETTLED, amount) end
end

local function subtract(amount)
  if amount ~= '0' then redis.call('HINCRBY', KEYS[4], SETTLED, '-' .. amount) end
end

-- What calls under way hold of this sum, from their own books.
local function hold_again()
  for _, taken in ipairs(redis.call('HVALS', KEYS[2])) do
    for kind, key, amount in parts_of(taken) do
      if kind == 's' and key == KEYS[4] then redis.call('HINCRBY', key, HELD, amount) end
    end
  end
end

local function begin()
  local late = redis.call('HGETALL', KEYS[4])
  redis.call('DEL', KEYS[4])
  redis.call('HSET', KEYS[4], SURE, stamp, SINCE, since, BASE, base, SETTLED, base, HELD, '0')
  redis.call('PEXPIRE', KEYS[4], kept_ms)
  for at = 1, #late, 2 do
    if string.sub(late[at], 1, #LATE) == LATE then
      redis.call('HSET', KEYS[4], late[at], late[at + 1])
      add(late[at + 1])
    end
  end
  hold_again()
end

begin_generation(KEYS[3], KEYS[1], KEYS[2], generation)
local state = redis.call('HMGET', KEYS[4], SURE, BASE)
local is_sure = state[1] == stamp
if is_sure and state[2] ~= base_before then return 0 end
if not is_sure and base_before ~= '' then return 0 end
if is_sure then
  add(base)
  subtract(state[2])
  redis.call('HSET', KEYS[4], BASE, base)
else
  begin()
end
for at = 7, #ARGV do
  local price = redis.call('HGET', KEYS[4], LATE .. ARGV[at])
  if price then
    redis.call('HDEL', KEYS[4], LATE .. ARGV[at])
    subtract(price)
  end
end
return 1
