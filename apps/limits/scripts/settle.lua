-- Put the real price and tokens of a call in the place of what was held for it.
--
-- KEYS: 1 the holds, 2 the holdings, then the sums that the call's price is charged to.
-- ARGV: 1 the hold's id ("" if nothing was held), 2 the tokens, 3 the price, 4 when the call began in µs, or "again" if
--   it is charged though nothing is held under its id (Redis has lost that, or never knew), then for each sum ms that
--   it is kept, and "1" if it is one that can be complete or not (see common.lua).
-- Returns 1; 0 when there is no such hold: it was settled before, and nothing changes.

local MOST = '9223372036854775807'
local id, tokens, price, began = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local is_told_again = began == 'again'

local function correct_window(key, bucket, held, real)
  local state = redis.call('HMGET', key, 'total', bucket)
  if not state[2] then return end -- it has left the window
  local more = real - tonumber(held)
  redis.call('HSET', key, 'total', plain(tonumber(state[1]) + more), bucket, plain(tonumber(state[2]) + more))
end

local function add(key, kept_ms)
  local sum = redis.pcall('HINCRBY', key, SETTLED, price)
  if type(sum) == 'table' then -- more than 64 bits hold
    redis.call('HSET', key, SETTLED, MOST)
  elseif sum == tonumber(price) then
    redis.call('PEXPIRE', key, kept_ms)
  end
end

local function charge(key, kept_ms, is_counted)
  if is_counted == '' then return add(key, kept_ms) end
  local state = redis.call('HMGET', key, SURE, SINCE)
  if state[1] and not is_told_again and tonumber(began) >= tonumber(state[2]) then return add(key, kept_ms) end
  if redis.call('HSETNX', key, LATE .. id, price) == 0 then return end
  if state[1] then add(key, kept_ms) else redis.call('PEXPIRE', key, kept_ms) end
end

if id ~= '' then
  local taken = redis.call('HGET', KEYS[2], id)
  local is_expired = not taken -- then its money and place were given back, and it is charged all the same
  if taken then
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[1], id)
  else
    taken = redis.call('GET', expired_key(KEYS[2], id))
    if not taken and not is_told_again then return 0 end
    redis.call('DEL', expired_key(KEYS[2], id))
  end
  for kind, key, amount, bucket in parts_of(taken or '') do
    if kind == 't' then correct_window(key, bucket, amount, tokens) end
    if kind == 'm' then correct_window(key, bucket, amount, math.ceil(tonumber(price) / 1000)) end
    if kind == 'c' then redis.call('ZREM', key, id) end
    if kind == 's' and not is_expired then take_back(key, amount) end
  end
end

if price ~= '0' then
  for n = 3, #KEYS do charge(KEYS[n], ARGV[2 * n - 1], ARGV[2 * n]) end
end
return 1
