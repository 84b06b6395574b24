-- Asks Latchkey about a request, and changes the request or answers in its place. For HAProxy 2.5 or later.
-- http-request lua.latchkey HOST:PORT SLUG SCHEME USER,EMAIL,NAME,GROUPS

local SEND = {
	"accept", "access-control-request-method", "authorization", "content-type", "cookie", "origin", "sec-fetch-dest",
	"sec-fetch-mode", "sec-fetch-site", "sec-websocket-version", "upgrade", "x-latchkey-doctor", "x-requested-with",
}
local BACK = {
	"access-control-allow-credentials", "access-control-allow-origin", "cache-control", "content-language",
	"content-security-policy", "content-type", "cross-origin-opener-policy", "cross-origin-resource-policy", "link",
	"location", "permissions-policy", "referrer-policy", "retry-after", "vary", "www-authenticate",
	"x-content-type-options", "x-frame-options", "x-latchkey-error", "x-request-id", "x-robots-tag",
}

-- Calls f with each value of a header. HAProxy counts values from 0.
local function each(headers, name, f)
	local values = headers[name]
	local at = 0
	while values and values[at] do
		f(values[at])
		at = at + 1
	end
end

local function joined(headers, name, by)
	local values = {}
	each(headers, name, function(value) values[#values + 1] = value end)
	if #values > 0 then return table.concat(values, by) end
end

local function names(list)
	local known = {}
	for name in list:gmatch("[^,]+") do known[#known + 1] = name:lower() end
	return known
end

-- Whether a cookie is Latchkey's: no app may see it.
local function is_ours(pair)
	local name = pair:gsub("^[%s=]+", ""):match("^[^=]*"):gsub("%s+$", ""):lower()
	name = name:gsub("^__host%-", ""):gsub("^__secure%-", "")
	return name == "latchkey" or name:sub(1, 9) == "latchkey-"
end

local function without_ours(txn, headers)
	local kept = {}
	each(headers, "cookie", function(line)
		for pair in line:gmatch("[^;]+") do
			pair = pair:gsub("^%s+", ""):gsub("%s+$", "")
			if pair ~= "" and not is_ours(pair) then kept[#kept + 1] = pair end
		end
	end)
	txn.http:req_del_header("cookie")
	if #kept > 0 then txn.http:req_add_header("cookie", table.concat(kept, "; ")) end
end

core.register_action("latchkey", { "http-req" }, function(txn, address, slug, scheme, list)
	local headers, send, identity = txn.http:req_get_headers(), {}, names(list)
	local query = txn.sf:query() or ""
	for _, name in ipairs(SEND) do
		local value = joined(headers, name, name == "cookie" and "; " or ", ")
		if value then send[name] = { value } end
	end
	send["x-forwarded-method"] = { txn.sf:method() }
	send["x-forwarded-proto"] = { scheme }
	send["x-forwarded-host"] = { joined(headers, "host", ", ") or "" }
	send["x-forwarded-uri"] = { txn.sf:path() .. (query ~= "" and "?" .. query or "") }
	send["x-forwarded-for"] = { txn.sf:src() }

	-- Servers read any other character as a hyphen, so a name with one goes too.
	for name in pairs(headers) do
		if name:find("[^%w%-]") then txn.http:req_del_header(name) end
	end
	for _, name in ipairs(identity) do txn.http:req_del_header(name) end

	local asked, answer = pcall(function()
		local url = "http://" .. address .. "/decide/haproxy/" .. slug
		return core.httpclient():get({ url = url, headers = send, timeout = 3000 })
	end)
	local reply = txn:reply()
	if not asked or not answer or not answer.status or answer.status == 0 or
		-- HAProxy itself, if it cannot connect.
		(answer.status == 503 and not joined(answer.headers, "retry-after", ",")) then
		reply:set_status(503)
		reply:add_header("retry-after", "5")
		reply:add_header("cache-control", "no-store")
		txn:done(reply)
		return
	end
	if answer.status == 200 then
		for _, name in ipairs(identity) do
			local value = joined(answer.headers, name, ",")
			if value and value ~= "" then txn.http:req_set_header(name, value) end
		end
		if joined(answer.headers, "x-latchkey-token", ",") then txn.http:req_del_header("authorization") end
		without_ours(txn, headers)
		txn:set_var("txn.decided", true)
		return
	end
	-- Any other status than Latchkey's refusals comes from something else.
	local known = { [302] = true, [401] = true, [403] = true, [503] = true }
	reply:set_status(known[answer.status] and answer.status or 503)
	for _, name in ipairs(BACK) do
		each(answer.headers, name, function(value) reply:add_header(name, value) end)
	end
	if answer.body then reply:set_body(answer.body) end
	txn:done(reply)
end, 4)
