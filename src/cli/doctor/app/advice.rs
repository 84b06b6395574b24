//! What to change in the configuration of a proxy that asks Latchkey for decisions, in that proxy's own words.

use crate::apps::ProxyKind;

/// The part of a configuration that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigPart {
    /// Requests reach the app without a decision.
    Guard,
    /// The identity that the app receives.
    Identity,
    /// Latchkey's cookies reach the app.
    Cookies,
    /// Cookies of the browser do not reach the decision.
    CookiesAsked,
    /// The URL and method that the decision is about.
    Url,
    /// The client's query reaches the decision as its own.
    Query,
    /// All headers of the client reach the decision.
    Headers,
    /// Headers that the decision needs, and its responses to the client.
    Answers,
    /// What happens if there is no decision.
    FailsClosed,
    Cache,
    /// Latchkey's own paths on the host of the app.
    Door,
    Upgrade,
    Upload,
    Address,
    /// How long a websocket may stay open.
    Streams,
}

/// What to change in front of the app `slug`, in the words of its proxy if it is known.
pub fn of(proxy: Option<ProxyKind>, part: ConfigPart, slug: &str) -> String {
    match proxy {
        Some(proxy) => words(proxy, part).replace("{slug}", slug),
        None => format!(
            "compare the configuration of the proxy with `latchkey app config {slug} --proxy …` ({})",
            topic(part)
        ),
    }
}

/// For a proxy that is not known.
fn topic(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => "the decision before every request",
        ConfigPart::Identity => "the four identity headers",
        ConfigPart::Cookies => "the cookies that the app receives",
        ConfigPart::CookiesAsked => "the cookies that the decision receives",
        ConfigPart::Url => "the URL that the decision is about",
        ConfigPart::Query => "the path of the decision",
        ConfigPart::Headers | ConfigPart::Answers => "the headers of the decision and of its response",
        ConfigPart::FailsClosed => "what happens without a decision",
        ConfigPart::Cache => "caching",
        ConfigPart::Door => "the paths below /.latchkey/",
        ConfigPart::Upgrade => "`Upgrade`",
        ConfigPart::Upload => "the limit for bodies",
        ConfigPart::Address => "X-Forwarded-For",
        ConfigPart::Streams => "timeouts of websockets",
    }
}

fn words(proxy: ProxyKind, part: ConfigPart) -> &'static str {
    match proxy {
        ProxyKind::Nginx => nginx(part),
        ProxyKind::Caddy => caddy(part),
        ProxyKind::Traefik => traefik(part),
        ProxyKind::Haproxy => haproxy(part),
        ProxyKind::Envoy => envoy(part),
    }
}

fn nginx(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => {
            "put `auth_request /.latchkey/decide;` into every `location` of this host that leads to the app, and remove `satisfy any`"
        }
        ConfigPart::Identity => {
            "keep `underscores_in_headers off` and `ignore_invalid_headers on`, and set all four headers from the decision: `auth_request_set $lk_user $upstream_http_remote_user;` and `proxy_set_header Remote-User $lk_user;`"
        }
        ConfigPart::Cookies => {
            "`proxy_set_header Cookie $lk_cookie;` in the location of the app, with the `map` lines that remove Latchkey's cookies"
        }
        ConfigPart::CookiesAsked => "`proxy_set_header Cookie $http_cookie;` in the location of the decision",
        ConfigPart::Url => {
            "in the location of the decision: `proxy_set_header X-Original-URL $scheme://$host$request_uri;` (never `$http_host` or `$uri`) and `X-Original-Method $request_method`; and pass requests on to the app with their raw path"
        }
        ConfigPart::Query => "write `proxy_pass http://…/decide/nginx/{slug};` without `$args`",
        ConfigPart::Headers => {
            "`proxy_pass_request_headers off;` in the location of the decision, and `proxy_set_header` for each header that it needs"
        }
        ConfigPart::Answers => {
            "in the location of the decision, set `Accept`, `Origin`, `Sec-Fetch-*`, `X-Requested-With`, `Upgrade` and `Access-Control-Request-Method` with `proxy_set_header`; keep the lines `error_page 401`, `403` and `500`"
        }
        ConfigPart::FailsClosed => {
            "remove `satisfy any`, `error_page … =200` and `proxy_cache_use_stale`; `error_page 500` must lead to `return 503`"
        }
        ConfigPart::Cache => {
            "remove `proxy_cache` from the location of the decision and from that of the app"
        }
        ConfigPart::Door => {
            "a `location ~ ^/\\.latchkey/(in|enter|out|doctor)$` with `proxy_pass http://…/app/{slug}/$1$is_args$args;`, without `auth_request`; pass `Set-Cookie` and `Location` back unchanged"
        }
        ConfigPart::Upgrade => {
            "`proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection` from a `map` of `$http_upgrade`, in the location of the app"
        }
        ConfigPart::Upload => "raise `client_max_body_size` for this host",
        ConfigPart::Address => {
            "`proxy_set_header X-Forwarded-For $remote_addr;` in the location of the decision, and LATCHKEY__FRONT__HOPS=1"
        }
        ConfigPart::Streams => {
            "nginx cannot bound the time of a websocket: use proxy mode for an app whose sockets must end with access"
        }
    }
}

fn caddy(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => "put `forward_auth` before `reverse_proxy`, both within `route { … }`",
        ConfigPart::Identity => {
            "name all four headers in `copy_headers`; write everything within `route { … }`, because a `request_header` outside of it runs after `forward_auth` and deletes the identity; use Caddy 2.11.7 or later"
        }
        ConfigPart::Cookies => {
            "remove Latchkey's cookies with `request_header Cookie` and a regular expression, between `forward_auth` and `reverse_proxy`"
        }
        ConfigPart::CookiesAsked => {
            "remove `request_header` and `header_up` lines about `Cookie` before `forward_auth`"
        }
        ConfigPart::Url => {
            "remove `uri`, `rewrite` and `handle_path` before `forward_auth`, and `trusted_proxies` that contain clients; let `forward_auth` write `X-Forwarded-*`"
        }
        ConfigPart::Query => {
            "write `uri /decide/forward/{slug}?` with the question mark; without it, Caddy appends the client's query"
        }
        ConfigPart::Headers => "`forward_auth` passes all headers on, which is as it should be",
        ConfigPart::Answers => {
            "remove `header_up`, `header_down` and `handle_response` from `forward_auth`, `handle_errors` from the site, and `header` lines that change responses"
        }
        ConfigPart::FailsClosed => "remove `handle_errors` and `handle_response` blocks that lead to the app",
        ConfigPart::Cache => "remove the `cache` directive from this site",
        ConfigPart::Door => {
            "within `route { … }` and before `forward_auth`: `handle` for the paths of Latchkey, with `rewrite` to `/app/{slug}/…` and `reverse_proxy` to the decision listener"
        }
        ConfigPart::Upgrade => {
            "remove `header_up` lines about `Connection` and `Upgrade` from `reverse_proxy`"
        }
        ConfigPart::Upload => "raise `request_body { max_size … }` for this site",
        ConfigPart::Address => {
            "remove `trusted_proxies` unless another proxy is in front; LATCHKEY__FRONT__HOPS is the number of proxies up to Caddy"
        }
        ConfigPart::Streams => "set `stream_timeout 5m` in the `reverse_proxy` of the app",
    }
}

fn traefik(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => {
            "add the `forwardAuth` middleware to every router of this host that leads to the app"
        }
        ConfigPart::Identity => {
            "set `http.aliasHeadersStrategy: delete` on the entry point, and name all four headers in `authResponseHeaders`"
        }
        ConfigPart::Cookies => {
            "Traefik cannot remove one cookie: the app receives its own app key, which opens this app alone"
        }
        ConfigPart::CookiesAsked => "remove `authRequestHeaders` from `forwardAuth`, or add Cookie to it",
        ConfigPart::Url => {
            "set `trustForwardHeader: false` in `forwardAuth`; remove `forwardedHeaders.insecure`, and `trustedIPs` that contain clients, from the entry point"
        }
        ConfigPart::Query => "write the `address` of `forwardAuth` without a query",
        ConfigPart::Headers => "`forwardAuth` passes all headers on, which is as it should be",
        ConfigPart::Answers => {
            "remove `authRequestHeaders` from `forwardAuth`, and `errors` and `headers` middlewares from the routers of this host"
        }
        ConfigPart::FailsClosed => {
            "remove `errors` middlewares and `failover` services from the routers of this host"
        }
        ConfigPart::Cache => "remove plugins that cache from the routers of this host",
        ConfigPart::Door => {
            "a router of its own for Latchkey's paths, without `forwardAuth`, with `replacePathRegex` to `/app/{slug}/$1`, and with a higher priority than the app's"
        }
        ConfigPart::Upgrade => "remove `headers` middlewares about `Connection` and `Upgrade`",
        ConfigPart::Upload => "raise `maxRequestBodyBytes` of the `buffering` middleware",
        ConfigPart::Address => {
            "`forwardedHeaders.trustedIPs` on the entry point may name only proxies in front of Traefik; LATCHKEY__FRONT__HOPS counts them and Traefik"
        }
        ConfigPart::Streams => {
            "Traefik cannot bound the time of a websocket: use proxy mode for an app whose sockets must end with access"
        }
    }
}

fn haproxy(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => {
            "run `http-request lua.latchkey … {slug}` for every request to this host that does not go to Latchkey, before `use_backend`"
        }
        ConfigPart::Identity => {
            "in the Lua action, delete every spelling of the four headers with `txn.http:req_del_header`, also if the decision sends an empty one, and then set the decision's"
        }
        ConfigPart::Cookies => {
            "remove Latchkey's cookies from `Cookie` in the Lua action, after the decision"
        }
        ConfigPart::CookiesAsked => {
            "send `cookie` to the decision in the Lua action, and change `Cookie` only after it"
        }
        ConfigPart::Url => {
            "in the Lua action, build `x-forwarded-uri` from `txn.sf:path()` and `txn.sf:query()` and `x-forwarded-method` from `txn.sf:method()`, never from headers; run it before `set-path` and `replace-path`"
        }
        ConfigPart::Query => "write the URL of the decision in the Lua action without the query",
        ConfigPart::Headers => "send only the headers that the Lua action lists",
        ConfigPart::Answers => {
            "in the Lua action, send `accept`, `origin`, `sec-fetch-*`, `x-requested-with`, `upgrade` and `access-control-request-method`, and pass `location`, `content-type`, `cache-control` and `www-authenticate` back; remove `errorfile` and `http-response` lines"
        }
        ConfigPart::FailsClosed => {
            "in the Lua action, let only status 200 pass; without a response, answer 503 with `txn:done`"
        }
        ConfigPart::Cache => {
            "remove `http-request cache-use` from this host, and keep no decision in a map or table"
        }
        ConfigPart::Door => {
            "choose Latchkey's paths with a variable set before `replace-path`, because `path` and `path_beg` are false after it; then `replace-path` to `/app/{slug}/…` and `use_backend` of the decision listener"
        }
        ConfigPart::Upgrade => "remove `http-request del-header` lines about `Connection` and `Upgrade`",
        ConfigPart::Upload => "remove `http-request deny` lines about `req.body_size`",
        ConfigPart::Address => {
            "in the Lua action, send `txn.sf:src()` as `x-forwarded-for`, with LATCHKEY__FRONT__HOPS=1"
        }
        ConfigPart::Streams => {
            "HAProxy cannot bound the time of a websocket, only its silence (`timeout tunnel`): use proxy mode for an app whose sockets must end with access"
        }
    }
}

fn envoy(part: ConfigPart) -> &'static str {
    match part {
        ConfigPart::Guard => {
            "put `envoy.filters.http.ext_authz` before the router, and remove `ExtAuthzPerRoute: disabled` from the routes of the app"
        }
        ConfigPart::Identity => {
            "set `headers_with_underscores_action: DROP_HEADER`, and let `allowed_upstream_headers` contain the four headers"
        }
        ConfigPart::Cookies => {
            "put the Lua filter that removes Latchkey's cookies between `ext_authz` and the router"
        }
        ConfigPart::CookiesAsked => "add `cookie` to `allowed_headers` of `ext_authz`",
        ConfigPart::Url => {
            "write `path_prefix: /decide/envoy/{slug}`, set `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action: REJECT_REQUEST`, and take `x-forwarded-proto` from `%REQ(:SCHEME)%`"
        }
        ConfigPart::Query => "write `path_prefix` without a query",
        ConfigPart::Headers => "list the headers of the decision in `allowed_headers` one by one",
        ConfigPart::Answers => {
            "add `accept`, `origin`, the prefix `sec-fetch-`, `x-requested-with`, `upgrade` and `access-control-request-method` to `allowed_headers`; remove `allowed_client_headers` and `local_reply_config`"
        }
        ConfigPart::FailsClosed => {
            "set `failure_mode_allow: false` and `status_on_error: 503` in `ext_authz`"
        }
        ConfigPart::Cache => "remove `envoy.filters.http.cache` from the listener",
        ConfigPart::Door => {
            "a route for Latchkey's paths with `prefix_rewrite` to `/app/{slug}/` and `ExtAuthzPerRoute: disabled`, before the routes of the app"
        }
        ConfigPart::Upgrade => "add `upgrade_configs: [{upgrade_type: websocket}]` to the connection manager",
        ConfigPart::Upload => "raise `max_request_bytes` of the buffer filter",
        ConfigPart::Address => {
            "set `use_remote_address: true` and `xff_num_trusted_hops: 0`, with LATCHKEY__FRONT__HOPS=1; each proxy in front adds one to both"
        }
        ConfigPart::Streams => {
            "set `max_stream_duration: {max_stream_duration: 300s}` on the routes of the app"
        }
    }
}
