-- Which memory this is. Another Redis, one that was started again (from whatever it had on its disk), and one that was
-- emptied have another generation: nothing that was counted before is believed.
--
-- KEYS: 1 where it is kept. Returns {the generation, how old it is in ms}.

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local now = now_ms()
local known = redis.call('GET', KEYS[1])
if not known or string.sub(known, 1, #run + 1) ~= run .. ':' then
  known = run .. ':' .. whole(now)
  redis.call('SET', KEYS[1], known)
end
return {known, whole(now - tonumber(string.sub(known, #run + 2)))}
