-- Which memory this is. Another Redis, one that was started again (from whatever it had on its disk), and one that was
-- emptied have another generation: nothing that was counted before is believed.
--
-- KEYS: 1 where it is kept. ARGV: 1 the generation that the caller knew, "" if none.
-- Returns {the generation, how long in ms it can have been asked about: since the run began, or since who knew
-- another saw that it was gone}.

local server = redis.call('INFO', 'server')
local run = string.match(server, 'run_id:(%w+)')
local now = now_ms()
local known = redis.call('GET', KEYS[1])
if not known or string.sub(known, 1, #run + 1) ~= run .. ':' then
  local began = now - 1000 * tonumber(string.match(server, 'uptime_in_seconds:(%d+)'))
  known = run .. ':' .. whole(ARGV[1] == '' and began or now)
  redis.call('SET', KEYS[1], known)
end
return {known, whole(now - tonumber(string.sub(known, #run + 2)))}
