//! nginx carries the traffic of an app itself, and asks the instances for decisions.

/// How nginx guards the app `wiki`.
pub struct Guard {
    /// The port of the app.
    pub upstream: u16,
    /// The public port of each instance, and the one for decisions.
    pub listeners: Vec<(u16, u16)>,
}

impl Guard {
    /// The locations of the app's host.
    pub fn locations(&self) -> String {
        let upstream = self.upstream;
        let asks = "proxy_pass_request_headers off; proxy_pass_request_body off; proxy_http_version 1.1; \
            proxy_set_header Connection \"\"; proxy_set_header Content-Length \"\"; \
            proxy_set_header X-Original-URL $scheme://$host$request_uri; \
            proxy_set_header X-Original-Method $request_method; proxy_set_header X-Forwarded-For $remote_addr; \
            proxy_set_header Cookie $http_cookie; proxy_set_header Accept $http_accept; \
            proxy_set_header Content-Type $http_content_type; proxy_set_header Authorization $http_authorization; \
            proxy_set_header Origin $http_origin; proxy_set_header Sec-Fetch-Site $http_sec_fetch_site; \
            proxy_set_header Sec-Fetch-Mode $http_sec_fetch_mode; proxy_set_header Sec-Fetch-Dest $http_sec_fetch_dest; \
            proxy_set_header Sec-WebSocket-Version $http_sec_websocket_version; proxy_read_timeout 3s;";
        let identity: String = ["user", "email", "name", "groups"]
            .map(|name| {
                format!(
                    "auth_request_set $lk_{name} $upstream_http_remote_{name}; \
                     proxy_set_header Remote-{name} $lk_{name};\n"
                )
            })
            .concat();
        // A running stream cannot be closed from here, so the app has none in this mode.
        format!(
            "location = /events {{ return 404; }}
            location = /.latchkey/decide {{ internal; proxy_pass http://deciding/decide/nginx/wiki; {asks} }}
            location ^~ /.latchkey/ {{
                proxy_pass http://deciding/app/wiki/; proxy_http_version 1.1; proxy_set_header Connection \"\";
                proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
            }}
            location @in {{
                if ($lk_to) {{ return 302 $lk_to; }}
                rewrite ^ /refusal/401? break; proxy_pass http://deciding; proxy_method GET; {asks}
            }}
            location @no {{ rewrite ^ /refusal/403? break; proxy_pass http://deciding; proxy_method GET; {asks} }}
            location @down {{ add_header Retry-After 5 always; return 503; }}
            location / {{
                auth_request /.latchkey/decide; auth_request_set $lk_to $upstream_http_location;
                error_page 401 = @in; error_page 403 = @no; error_page 500 = @down;
                {identity}
                proxy_set_header Host $http_host; proxy_set_header Connection \"\"; proxy_http_version 1.1;
                proxy_pass http://127.0.0.1:{upstream};
            }}\n"
        )
    }
}

/// The instances that decide. `drained` is the public port of one that is not asked any more.
pub fn deciding(guard: &Guard, ports: &[u16], drained: Option<u16>) -> String {
    let listeners = guard.listeners.iter().filter(|(public, _)| ports.contains(public));
    let lines: String = listeners
        .map(|(public, listener)| {
            let down = if Some(*public) == drained { " down" } else { "" };
            format!("server 127.0.0.1:{listener} max_fails=1 fail_timeout=1s{down};\n")
        })
        .collect();
    format!("upstream deciding {{ {lines} keepalive 16; }}\n")
}
