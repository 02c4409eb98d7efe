-- Let a call in under every limit at once, or under none. All is looked at before anything is taken.
--
-- KEYS: 1 the holds, 2 the holdings, then a key for each limit.
-- ARGV: 1 the hold's id, 2 the call's tokens, 3 its spend, 4 ms until the hold expires, then for each limit
--   kind, limit, ms of the window (of s: ms that the period's sum is kept), buckets of the window.
-- Returns 1, or {which limit refuses (from 1), how much of it is used, ms until trying again can help or -1}.

local id, tokens, spend, lifetime = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local now = now_ms()

-- When the window has room for the surplus: as its oldest buckets leave it, one after the other.
local function window_opens_in(entry, surplus)
  local numbers = {}
  for number = entry.bucket - entry.buckets, entry.bucket do numbers[#numbers + 1] = whole(number) end
  for at, sum in ipairs(redis.call('HMGET', entry.key, unpack(numbers))) do
    surplus = surplus - tonumber(sum or 0)
    if surplus <= 0 then return math.ceil((entry.bucket + at) * entry.span / entry.buckets) - now end
  end
  return -1
end

-- Each looks at one limit, keeps what `take` needs, and returns what is used and the ms to wait, if it refuses.
local look = {}

function look.r(entry)
  entry.bucket = bucket_at(now, entry.span, entry.buckets)
  entry.total, entry.sum = turn_window(entry.key, entry.bucket, entry.buckets)
  local used = entry.total or 0
  local surplus = used + entry.amount - tonumber(entry.limit)
  if entry.limit == '0' then return whole(used), -1 end
  if surplus > 0 then return whole(used), window_opens_in(entry, surplus) end
end

look.t = look.r

function look.c(entry)
  local busy = redis.call('ZCOUNT', entry.key, '(' .. whole(now), '+inf')
  if busy >= tonumber(entry.limit) then return whole(busy), -1 end
end

function look.s(entry)
  local state = redis.call('HMGET', entry.key, HELD, SETTLED)
  entry.is_new = not state[1] and not state[2]
  local settled = state[2] or '0'
  if entry.limit == '0' or exceeds(entry.limit, settled, state[1] or '0', spend) then return settled, -1 end
end

local take = {}

function take.r(entry)
  local key, bucket = entry.key, whole(entry.bucket)
  redis.call('HSET', key, 'total', whole((entry.total or 0) + entry.amount), bucket, whole((entry.sum or 0) + entry.amount))
  if not entry.total then redis.call('HSET', key, 'oldest', whole(entry.bucket - entry.buckets)) end
  if not entry.sum then redis.call('PEXPIRE', key, 2 * entry.span) end
  return whole(entry.amount), bucket
end

take.t = take.r

function take.c(entry)
  redis.call('ZADD', entry.key, whole(now + lifetime), id)
  return '1', '0'
end

function take.s(entry)
  redis.call('HINCRBY', entry.key, HELD, spend)
  if entry.is_new then redis.call('PEXPIRE', entry.key, entry.span) end
  return spend, '0'
end

expire_holds(KEYS[1], KEYS[2], now)

local entries = {}
for at = 5, #ARGV, 4 do
  local entry = {
    kind = ARGV[at], limit = ARGV[at + 1], span = tonumber(ARGV[at + 2]), buckets = tonumber(ARGV[at + 3]),
    key = KEYS[#entries + 3],
  }
  entry.amount = entry.kind == 't' and tokens or 1
  entries[#entries + 1] = entry
  local used, wait = look[entry.kind](entry)
  if used then return {#entries, used, wait} end
end

local taken = {}
for at, entry in ipairs(entries) do
  local amount, bucket = take[entry.kind](entry)
  taken[at] = entry.kind .. '|' .. entry.key .. '|' .. amount .. '|' .. bucket
end
redis.call('HSET', KEYS[2], id, table.concat(taken, '\n'))
redis.call('ZADD', KEYS[1], whole(now + lifetime), id)
return 1
