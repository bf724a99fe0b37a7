-- Asks `peergate gateway forward-auth --proxy haproxy` about each request: `http-request lua.peergate`.
-- The variable txn.peergate is "allowed" after a yes, and after nothing else. A denial is answered here.

local URL = "http://peergate/"
local SOCKET = "unix@/run/peergate/forward-auth.sock"
-- HAProxy asks up to four times before it gives up.
local MILLISECONDS = 1000

-- What belongs to the client's own connection, and what is said anew about it.
local NOT_ASKED = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
  ["proxy-authenticate"] = true, ["proxy-authorization"] = true, ["proxy-connection"] = true, ["te"] = true,
  ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
}
-- What belongs to the answer itself; everything else in it is for the application.
local NOT_TOLD = {
  ["connection"] = true, ["content-length"] = true, ["content-type"] = true, ["date"] = true, ["keep-alive"] = true,
  ["server"] = true, ["transfer-encoding"] = true,
}
local SHOWN = { "content-type", "x-peergate-reason", "x-peergate-decision-id" }

-- The values of a header as HAProxy keeps them, counted from 0, counted from 1.
local function listed(values)
  local found = {}
  for index = 0, #values do
    if values[index] then
      found[#found + 1] = values[index]
    end
  end
  return found
end

-- A client chooses the server name that it asks for: a line break in it would be a header of its own.
local function quoted(name)
  if name == nil or name == "" then
    return '""'
  end
  if not name:match("^[A-Za-z0-9._-]+$") then
    return "unreadable"
  end
  return '"' .. name .. '"'
end

local function question(txn)
  local received = txn.http:req_get_headers()
  local asked = {}
  for name, values in pairs(received) do
    if not NOT_ASKED[name] then
      asked[name] = listed(values)
    end
  end
  asked["x-original-method"] = { txn.f:method() }
  asked["x-original-uri"] = { txn.f:url() }
  asked["x-original-host"] = received["host"] and listed(received["host"]) or nil
  asked["x-original-address"] = { txn.f:src() or "unix:" }
  asked["x-original-sni"] = { quoted(txn.f:ssl_fc_sni()) }
  asked["ssl-client-cert"] = { txn.c:base64(txn.f:ssl_c_der() or "") }
  asked["ssl-client-cert-chain"] = { txn.c:base64(txn.f:ssl_c_chain_der() or "") }
  return asked
end

local function deny(txn, answer)
  local headers = {}
  for _, name in ipairs(SHOWN) do
    if answer.headers[name] then
      headers[name] = listed(answer.headers[name])
    end
  end
  local status = answer.status == 421 and 421 or 403
  txn:done(txn:reply({ status = status, headers = headers, body = answer.body }))
end

core.register_action("peergate", { "http-req" }, function(txn)
  local asked = question(txn)
  local answer = core.httpclient():get({ url = URL, dst = SOCKET, headers = asked, timeout = MILLISECONDS })
  if answer == nil or answer.headers == nil then
    return
  end
  if answer.status == 200 then
    for name, values in pairs(answer.headers) do
      if not NOT_TOLD[name] then
        txn.http:req_set_header(name, values[0])
      end
    end
    txn:set_var("txn.peergate", "allowed")
  elseif answer.status == 403 or answer.status == 421 then
    deny(txn, answer)
  end
end, 0)
