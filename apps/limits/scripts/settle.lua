-- Put the real price and tokens of a call in the place of what was held for it.
--
-- KEYS: 1 the holds, 2 the holdings, then the periods that the call's money is charged to.
-- ARGV: 1 the hold's id ("" if nothing was held), 2 the tokens, 3 the price, then for each period ms that it is kept.
-- Returns 1; 0 when there is no such hold: it was settled before, and nothing changes.

local MOST = '9223372036854775807'
local id, tokens, price = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local function correct_tokens(key, bucket, held)
  local state = redis.call('HMGET', key, 'total', bucket)
  if not state[2] then return end -- it has left the window
  local more = tokens - tonumber(held)
  redis.call('HSET', key, 'total', whole(tonumber(state[1]) + more), bucket, whole(tonumber(state[2]) + more))
end

local function charge(key, kept_ms)
  local sum = redis.pcall('HINCRBY', key, SETTLED, price)
  if type(sum) == 'table' then -- more than 64 bits hold
    redis.call('HSET', key, SETTLED, MOST)
  elseif sum == tonumber(price) then
    redis.call('PEXPIRE', key, kept_ms)
  end
end

if id ~= '' then
  local taken = redis.call('HGET', KEYS[2], id)
  local is_expired = not taken -- then its money and place were given back, and it is charged all the same
  if taken then
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[1], id)
  else
    taken = redis.call('GET', expired_key(KEYS[2], id))
    if not taken then return 0 end
    redis.call('DEL', expired_key(KEYS[2], id))
  end
  for kind, key, amount, bucket in parts_of(taken) do
    if kind == 't' then correct_tokens(key, bucket, amount) end
    if kind == 'c' then redis.call('ZREM', key, id) end
    if kind == 's' and not is_expired then take_back(key, amount) end
  end
end

if price ~= '0' then
  for n = 3, #KEYS do charge(KEYS[n], ARGV[n + 1]) end
end
return 1
