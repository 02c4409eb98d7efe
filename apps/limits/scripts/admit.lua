-- Let a call in under every limit at once, or under none. common.lua goes before.
--
-- KEYS: 1 the holds (zset: id by the time it expires), 2 what they hold (hash), 3… a key for each limit.
-- ARGV: 1 the hold's id, 2 its time-to-live in ms, then for each limit: kind, limit, amount, span in ms, buckets.
--   w: a window; the amounts in any `span` may not sum to more than the limit
--   c: calls at once; amount is 1
--   s: money in a period; held and settled may not sum to more than the limit; the key lives for `span`
-- Returns {1} or {0, which limit (from 1), how much of it is used, ms until trying again can help or -1}.

local id, ttl, now = ARGV[1], tonumber(ARGV[2]), now_ms()
local count = (#ARGV - 2) / 5

for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 32)) do
  expire(KEYS[1], KEYS[2], old, now)
end

local function limit_at(n)
  local at = 3 + (n - 1) * 5
  return ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), KEYS[n + 2]
end

-- When the window will have room: as its oldest buckets leave it, one after the other.
local function window_opens(key, bucket, span, buckets, surplus)
  for number = bucket - buckets, bucket do
    surplus = surplus - tonumber(redis.call('HGET', key, number) or '0')
    if surplus <= 0 then return math.ceil((number + buckets + 1) * span / buckets) - now end
  end
  return -1
end

local function check(n)
  local kind, limit, amount, span, buckets, key = limit_at(n)
  if kind == 'w' then
    local bucket = bucket_of(now, span, buckets)
    local total = turn_window(key, bucket, buckets)
    local surplus = total + tonumber(amount) - tonumber(limit)
    if surplus > 0 then
      return {0, n, string.format('%d', total), window_opens(key, bucket, span, buckets, surplus)}
    end
  elseif kind == 'c' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    local busy = redis.call('ZCARD', key)
    if busy >= tonumber(limit) then return {0, n, string.format('%d', busy), -1} end
  end
end

-- Money is taken first and given back if it is too much: only Redis itself adds 64 bits exactly.
local function take_money(n)
  local kind, limit, amount, span, _, key = limit_at(n)
  if kind ~= 's' then return end
  redis.call('HINCRBY', key, HELD, amount)
  local state = redis.call('HMGET', key, HELD, SETTLED)
  local settled = state[2] or '0'
  redis.call('HINCRBY', key, HELD, settled) -- for a moment, held + settled
  local sum = redis.call('HGET', key, HELD)
  redis.call('HINCRBY', key, HELD, negative(settled))
  redis.call('PEXPIRE', key, span)
  if limit == '0' or above(sum, limit) then
    redis.call('HINCRBY', key, HELD, negative(amount))
    return {0, n, settled, -1}
  end
end

local function give_back_money(last)
  for n = 1, last do
    local kind, _, amount, _, _, key = limit_at(n)
    if kind == 's' then redis.call('HINCRBY', key, HELD, negative(amount)) end
  end
end

for n = 1, count do
  local refusal = check(n)
  if refusal then return refusal end
end
for n = 1, count do
  local refusal = take_money(n)
  if refusal then
    give_back_money(n - 1)
    return refusal
  end
end

local taken = {}
for n = 1, count do
  local kind, _, amount, span, buckets, key = limit_at(n)
  local bucket = 0
  if kind == 'w' then
    bucket = bucket_of(now, span, buckets)
    redis.call('HSETNX', key, 'oldest', bucket - buckets)
    redis.call('HINCRBY', key, bucket, amount)
    redis.call('HINCRBY', key, 'total', amount)
    redis.call('PEXPIRE', key, 2 * span)
  elseif kind == 'c' then
    redis.call('ZADD', key, now + ttl, id)
    redis.call('PEXPIRE', key, 2 * ttl)
  end
  taken[n] = kind .. '|' .. key .. '|' .. amount .. '|' .. string.format('%d', bucket)
end
redis.call('HSET', KEYS[2], id, table.concat(taken, '\n'))
redis.call('ZADD', KEYS[1], now + ttl, id)
return {1}
