-- Let a call in under every limit at once, or under none. All is looked at before anything is taken.
--
-- KEYS: 1 the holds, 2 the holdings, 3 since when the customer is known, then a key for each limit.
-- ARGV: 1 the hold's id, 2 the call's tokens, 3 its spend, 4 ms until the hold expires, then for each limit
--   kind, limit, ms of the window (of s: ms that the period's sum is kept), buckets of the window (of s: the stamp).
-- Returns how much of each limit is used by now, this call included (of s: nothing, 0). Or
--   {"no", which limit refuses (from 1), how much of it is used, ms until trying again can help or -1, the most pico
--   that would fit under all caps}, or {"unsure", each limit whose sum isn't known to be complete}.

local id, tokens, spend, lifetime = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local now = now_ms()

-- When the window has room for the surplus: as its oldest buckets leave it, one after the other.
local function window_opens_in(entry, surplus)
  local numbers = {}
  for number = entry.bucket - entry.buckets, entry.bucket do numbers[#numbers + 1] = number end
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
  entry.busy = busy
end

look.m = look.r

-- Whether a sum that isn't there is so because its period began after all counting did: then it is zero.
local function is_begun_here(entry)
  local generation, begins = string.match(entry.stamp, '^(.-)/(%d+)/')
  local known = redis.call('GET', KEYS[3])
  if begins == '0' or not known then return false end
  if string.sub(known, 1, #generation + 1) ~= generation .. '/' then return false end
  return tonumber(string.sub(known, #generation + 2)) <= tonumber(begins)
end

local unsure = {'unsure'}

function look.s(entry)
  local state = redis.call('HMGET', entry.key, HELD, SETTLED, SURE)
  local held, settled = state[1] or '0', state[2] or '0'
  entry.held, entry.settled, entry.is_new = held, settled, not state[1] and not state[2]
  if entry.limit == '0' then return settled, -1 end
  if entry.stamp ~= '0' and state[3] ~= entry.stamp then
    if not entry.is_new or not is_begun_here(entry) then
      unsure[#unsure + 1] = entry.at
      return
    end
    entry.is_first = true
  end
  if exceeds(entry.limit, settled, held, spend) then return settled, -1 end
end

-- The most that would fit under all caps.
local function room_in(entries)
  local room
  for _, entry in ipairs(entries) do
    if entry.kind == 's' then
      local left = entry.limit == '0' and 0 or left_of(entry.limit, entry.settled, entry.held)
      if not room or left < room then room = left end
    end
  end
  return math.max(room, 0)
end

local take = {}

function take.r(entry)
  local key, bucket = entry.key, entry.bucket
  entry.now_used = (entry.total or 0) + entry.amount
  redis.call('HSET', key, 'total', plain(entry.now_used), bucket, plain((entry.sum or 0) + entry.amount))
  if not entry.total then redis.call('HSET', key, 'oldest', bucket - entry.buckets) end
  if not entry.sum then redis.call('PEXPIRE', key, 2 * entry.span) end
  if entry.kind ~= 'r' then return whole(entry.amount), bucket end
end

take.t = take.r
take.m = take.r

function take.c(entry)
  redis.call('ZADD', entry.key, now + lifetime, id)
  entry.now_used = entry.busy + 1
  return '1', '0'
end

function take.s(entry)
  redis.call('HINCRBY', entry.key, HELD, spend)
  if entry.is_first then redis.call('HSET', entry.key, SURE, entry.stamp, SINCE, '0', BASE, '0') end
  if entry.is_new then redis.call('PEXPIRE', entry.key, entry.span) end
  return spend, '0'
end

expire_holds(KEYS[1], KEYS[2], now)

local amounts = {r = 1, t = tokens, m = math.ceil(tonumber(spend) / 1000), c = 1}
local entries = {}
local refused
for at = 5, #ARGV, 4 do
  local entry = {
    kind = ARGV[at], limit = ARGV[at + 1], span = tonumber(ARGV[at + 2]), buckets = tonumber(ARGV[at + 3]),
    stamp = ARGV[at + 3], at = #entries + 1, key = KEYS[#entries + 4],
  }
  entry.amount = amounts[entry.kind]
  entries[entry.at] = entry
  -- A cap that refuses is not the last word: the others may have less room still.
  if not refused or entry.kind == 's' then
    local used, wait = look[entry.kind](entry)
    if used and not refused then
      refused = {'no', entry.at, used, wait, 0}
      if entry.kind ~= 's' then return refused end
    end
  end
end
if #unsure > 1 then return unsure end
if refused then
  refused[5] = whole(room_in(entries))
  return refused
end

local taken, now_used = {}, {}
for at, entry in ipairs(entries) do
  local amount, bucket = take[entry.kind](entry)
  if amount then taken[#taken + 1] = entry.kind .. '|' .. entry.key .. '|' .. amount .. '|' .. bucket end
  now_used[at] = entry.now_used or 0
end
redis.call('HSET', KEYS[2], id, table.concat(taken, '\n'))
redis.call('ZADD', KEYS[1], now + lifetime, id)
return now_used
