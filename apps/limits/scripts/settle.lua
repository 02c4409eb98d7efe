-- Put the real price and tokens of a call in the place of what was held for it. common.lua goes before.
--
-- KEYS: 1 the holds, 2 what they hold, 3… the keys of the periods whose money the call is charged to.
-- ARGV: 1 the hold's id ("" if nothing was held), 2 the price, 3 the tokens, then for each period: ms its key lives.
-- Returns 1; 0 when this hold was settled before, and nothing changed.

local id, price, tokens = ARGV[1], ARGV[2], tonumber(ARGV[3])

if id ~= '' then
  local taken = redis.call('HGET', KEYS[2], id)
  if not taken then return 0 end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
  local is_expired = string.sub(taken, 1, 1) == '!' -- its money and place were given back
  for _, part in ipairs(parts_of(taken)) do
    if part.kind == 'c' then
      redis.call('ZREM', part.key, id)
    elseif part.kind == 's' and not is_expired then
      redis.call('HINCRBY', part.key, HELD, negative(part.amount))
    elseif part.kind == 'w' and string.find(part.key, 'tokens', 1, true) and redis.call('HEXISTS', part.key, part.bucket) == 1 then
      local correction = string.format('%d', tokens - tonumber(part.amount))
      redis.call('HINCRBY', part.key, part.bucket, correction)
      redis.call('HINCRBY', part.key, 'total', correction)
    end
  end
end

for n = 3, #KEYS do
  redis.call('HINCRBY', KEYS[n], SETTLED, price)
  redis.call('PEXPIRE', KEYS[n], ARGV[n + 1])
end
return 1
