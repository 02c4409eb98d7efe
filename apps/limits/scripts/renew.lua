-- Keep a hold that lasts long; take it again if it has expired.
--
-- KEYS: 1 the holds, 2 the holdings. ARGV: 1 the hold's id, 2 ms from now until it expires.
-- Returns 1; 0 when there is no such hold.

local id = ARGV[1]
local expires_at = whole(now_ms() + tonumber(ARGV[2]))

local taken = redis.call('HGET', KEYS[2], id)
local is_expired = not taken
if is_expired then
  taken = redis.call('GET', expired_key(KEYS[2], id))
  if not taken then return 0 end
  redis.call('DEL', expired_key(KEYS[2], id))
  redis.call('HSET', KEYS[2], id, taken)
end
redis.call('ZADD', KEYS[1], expires_at, id)
for kind, key, amount in parts_of(taken) do
  if kind == 'c' then redis.call('ZADD', key, expires_at, id) end
  if kind == 's' and is_expired then redis.call('HINCRBY', key, HELD, amount) end
end
return 1
