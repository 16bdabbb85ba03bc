-- Sends the requests of a file, one after the other, over and over. Arguments: NAME=VALUE.
--   file     lines of METHOD PATH BODY
--   key      the API key
--   replays  present: each request has an Idempotency-Key of its own, which begins with this
--   stop     present: the load ends after so many answers

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int number);")

local PLACE = "KEY-COMES-HERE"
local INTERRUPT = 2
local given, whole, heads, tails = {}, {}, {}, {}
local turn, answered = 0, 0

local function prepare(line)
  local method, path, body = line:match("^(%u+) (%S+) ?(.*)$")
  local headers = { ["Authorization"] = "Bearer " .. given.key }
  if body == "" then body = nil else headers["Content-Type"] = "application/json" end
  if given.replays then headers["Idempotency-Key"] = PLACE end
  local text = wrk.format(method, path, headers, body)
  whole[#whole + 1] = text
  if given.replays then
    local from, to = text:find(PLACE, 1, true)
    heads[#whole], tails[#whole] = text:sub(1, from - 1), text:sub(to + 1)
  end
end

function init(arguments)
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w+)=(.*)$")
    given[name] = value
  end
  for line in io.lines(given.file) do prepare(line) end
  if given.stop then
    local enough = tonumber(given.stop)
    function response()
      answered = answered + 1
      if answered == enough then
        -- wrk's main thread would sleep until the end of its duration.
        wrk.thread:stop()
        ffi.C.kill(ffi.C.getpid(), INTERRUPT)
      end
    end
  end
end

function request()
  local at = turn % #whole + 1
  turn = turn + 1
  if given.replays then return heads[at] .. given.replays .. turn .. tails[at] end
  return whole[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
