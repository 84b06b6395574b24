//! What clients without a log-in get from the app, by the kind of their request.

use super::advice::ConfigPart;
use super::asking::{KnownApp, unguarded};
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::cli::doctor::http::{RequestSpec, Response};
use crate::web::ops::app_question::{ECHO, Pretend, VisitorAccess};

/// A site that no app trusts (RFC 2606: it cannot exist).
const STRANGER: &str = "https://latchkey-doctor.invalid";

/// One byte more than nginx accepts unless it is configured to.
const UPLOAD: usize = 1024 * 1024 + 1;

const NAVIGATES: [(&str, &str); 4] = [
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("accept", "text/html"),
];

const OF_A_SCRIPT: [(&str, &str); 3] =
    [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];

const PASS_ON: &str =
    "something in front answers in place of Latchkey: make it pass on every request for this host";

/// Whether a visitor gets a page of the app, and whether a rule says so.
pub fn guard(app: &KnownApp) -> Finding {
    let check = "app.guard";
    let facts = &app.first.app;
    let open: Vec<&str> = facts
        .visitors
        .iter()
        .filter(|at| at.opens == VisitorAccess::Passes)
        .map(|at| at.path.as_str())
        .collect();
    let slug = app.slug();
    let Some(path) = app.guarded_path("GET") else {
        return match (open.is_empty(), facts.rules) {
            _ if !facts.enabled => note(check, "not checked: the app is disabled", "see app.route"),
            _ if !facts.can_proxy => {
                note(check, "not checked: the instance passes nothing on", "see app.listener")
            }
            (false, _) => warning(
                check,
                "a rule lets every visitor in: no part of this app needs a log-in",
                format!("if that is not intended, change the rules: `latchkey app show {slug}`"),
            ),
            (true, 0) => warning(
                check,
                "the app has no rules, so it lets no user in",
                format!("add one: `latchkey app rule add {slug} …`"),
            ),
            (true, _) => warning(
                check,
                "no rule matches /, so no user is let in there",
                format!("see `latchkey app explain {slug} --get /`"),
            ),
        };
    };
    if let Some(unguarded) = unguarded_path(app) {
        return problem(
            check,
            format!("there is no guard: {unguarded} is served without a log-in"),
            app.advice(ConfigPart::Guard, SEND_TO_US),
        );
    }
    match app.site.send(RequestSpec::get(path, &NAVIGATES)) {
        Err(why) => problem(check, why, app.advice(ConfigPart::Guard, PASS_ON)),
        Ok(response) if (200..300).contains(&response.status) => problem(
            check,
            format!("there is no guard: {path} is served without a log-in ({})", response.status),
            app.advice(ConfigPart::Guard, SEND_TO_US),
        ),
        Ok(_) if open.contains(&"/") => {
            warning(check, format!("{path} needs a log-in, and a rule lets every visitor in at /"), OPEN)
        }
        Ok(_) if !open.is_empty() => note(
            check,
            format!("{path} needs a log-in; rules let every visitor in at {}", open.join(", ")),
            OPEN,
        ),
        Ok(_) => ok(check, format!("{path} needs a log-in")),
    }
}

/// A path of a rule that is served without a log-in. The guard of another proxy may depend on the path.
fn unguarded_path(app: &KnownApp) -> Option<&str> {
    let visitors = app.first.app.visitors.iter().filter(|_| app.is_forwarded());
    let guarded = visitors.filter(|at| at.opens == VisitorAccess::LogsIn).map(|at| at.path.as_str());
    guarded.take(MOST_PATHS).find(|path| {
        let answer = app.site.send(RequestSpec::get(path, &NAVIGATES));
        answer.is_ok_and(|response| (200..300).contains(&response.status))
    })
}

/// Requested one after the other, within the time of one check.
const MOST_PATHS: usize = 20;

const SEND_TO_US: &str = "requests reach the app without Latchkey, or a cache answers them: send this host to Latchkey, and let only Latchkey reach the app";

const OPEN: &str = "check that this is intended";

pub fn navigation(app: &KnownApp) -> Finding {
    to_log_in(app, "app.navigation", "GET")
}

pub fn head(app: &KnownApp) -> Finding {
    to_log_in(app, "app.head", "HEAD")
}

fn to_log_in(app: &KnownApp, check: &'static str, method: &str) -> Finding {
    expect(app, check, RequestSpec { method, ..RequestSpec::get("", &NAVIGATES) }, |path, response| {
        let location = response.header("location").unwrap_or_default();
        if response.status != 302 {
            return Err(format!(
                "a page that is opened ({method} {path}) gets {} instead of 302",
                response.status
            ));
        }
        if !location.starts_with(&format!("{}/.latchkey/in?to=", app.site.origin)) {
            return Err(format!("a page that is opened leads to {location:?} instead of the log-in"));
        }
        if !response.header("cache-control").is_some_and(|value| value.contains("no-store")) {
            return Err("caches may store the redirect to the log-in: a proxy changes Cache-Control".into());
        }
        Ok(format!("a page that is opened ({method} {path}) leads to the log-in"))
    })
}

pub fn script(app: &KnownApp) -> Finding {
    expect(app, "app.script", RequestSpec::get("", &OF_A_SCRIPT), |_, response| {
        let kind = response.header("content-type").unwrap_or_default();
        let challenge = response.header("www-authenticate").unwrap_or_default();
        if response.status != 401 || response.header("location").is_some() {
            return Err(format!("a script gets {} instead of 401 without a redirect", response.status));
        }
        if !kind.starts_with("application/problem+json") || !challenge.starts_with("Latchkey ") {
            return Err(format!(
                "a script gets 401 with {kind:?} and {challenge:?}: a proxy replaces the response"
            ));
        }
        Ok("a script gets 401 and the address of the log-in".into())
    })
}

pub fn form(app: &KnownApp) -> Finding {
    let origin = app.site.origin.to_string();
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
    ];
    let spec = RequestSpec { method: "POST", body: b"doctor=1".to_vec(), ..RequestSpec::get("", &headers) };
    expect(app, "app.form", spec, |_, response| {
        let kind = response.header("content-type").unwrap_or_default();
        if response.status != 401 || !kind.starts_with("text/html") {
            return Err(format!("a form gets {} ({kind}) instead of a page with 401", response.status));
        }
        Ok("a form gets a page that says it was not sent".into())
    })
}

pub fn other_site(app: &KnownApp) -> Finding {
    let headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("origin", STRANGER)];
    let spec = RequestSpec { method: "POST", ..RequestSpec::get("", &headers) };
    expect(app, "app.other-site", spec, |_, response| match response.status {
        403 => Ok("a POST from another site is refused".into()),
        other => Err(format!(
            "a POST from another site gets {other} instead of 403: a proxy removes or changes `Origin`"
        )),
    })
}

pub fn preflight(app: &KnownApp) -> Finding {
    let headers = [("origin", STRANGER), ("access-control-request-method", "POST")];
    let spec = RequestSpec { method: "OPTIONS", ..RequestSpec::get("", &headers) };
    expect(app, "app.preflight", spec, |_, response| {
        let allows = response.header("access-control-allow-origin");
        match (response.status, allows) {
            (403, None) => Ok("other sites may not send requests".into()),
            (status, Some(allows)) => Err(format!(
                "a preflight from another site gets {status}, and a proxy allows {allows:?}: leave CORS to Latchkey and the app"
            )),
            (status, None) => Err(format!("a preflight from another site gets {status} instead of 403")),
        }
    })
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "bGF0Y2hrZXktZG9jdG9yIQ=="),
];

pub fn websocket(app: &KnownApp) -> Finding {
    let check = "app.websocket";
    let origin = app.site.origin.to_string();
    let own: Vec<(&str, &str)> = HANDSHAKE.into_iter().chain([("origin", origin.as_str())]).collect();
    let refused = expect(app, check, RequestSpec::get("", &own), |_, response| match response.status {
        401 => Ok("a handshake without a log-in gets 401".into()),
        other => Err(format!("a handshake without a log-in gets {other} instead of 401")),
    });
    if !refused.advice.is_empty() {
        return refused;
    }
    match app.ask(ECHO, &own) {
        Err(unanswered) => app.unanswered(check, &unanswered, ConfigPart::Upgrade),
        Ok(seen) if seen.arrived.upgrade.is_none() => warning(
            check,
            "`Upgrade` does not arrive: the app cannot use websockets",
            app.advice(
                ConfigPart::Upgrade,
                "let the proxy in front pass `Upgrade` and `Connection: upgrade` on, over HTTP/1.1",
            ),
        ),
        Ok(_) => ok(check, format!("{}, and `Upgrade` arrives", refused.seen)),
    }
}

pub fn upload(app: &KnownApp) -> Finding {
    let check = "app.upload";
    if let Some(max) = app.first.app.max_body.filter(|max| *max < UPLOAD as u64) {
        return note(check, format!("not checked: the app accepts bodies up to {max} bytes"), "");
    }
    let spec = RequestSpec {
        method: "POST",
        body: vec![b'x'; UPLOAD],
        ..RequestSpec::get(ECHO, &[("content-type", "application/octet-stream")])
    };
    let limited = app.advice(
        ConfigPart::Upload,
        "raise its limit for this host (`client_max_body_size` in nginx); Latchkey has one per app",
    );
    match app.site.send_question(spec, Pretend::Nothing) {
        Ok((_, response)) if response.status == 413 => {
            warning(check, "a proxy in front refuses a body of 1 MB (413)", limited)
        }
        Ok((question, response)) => match app.site.observed(&question, &response.body) {
            Some(seen) if seen.arrived.body == UPLOAD as u64 => ok(check, "a body of 1 MB arrives whole"),
            Some(seen) => {
                problem(check, format!("of a body of {UPLOAD} bytes, {} arrive", seen.arrived.body), limited)
            }
            None => problem(
                check,
                format!("a POST of 1 MB gets {}", response.status),
                app.advice(ConfigPart::Upload, PASS_ON),
            ),
        },
        Err(unanswered) => app.unanswered(check, &unanswered, ConfigPart::Upload),
    }
}

/// Sends `spec` to a path that needs a log-in, and checks the response. Returns what was seen, or what is wrong.
fn expect(
    app: &KnownApp,
    check: &'static str,
    spec: RequestSpec<'_>,
    judge: impl FnOnce(&str, &Response) -> Result<String, String>,
) -> Finding {
    let Some(path) = app.guarded_path(spec.method) else { return unguarded(check) };
    match app.site.send(RequestSpec { target: path, ..spec }) {
        Err(why) => problem(check, why, app.advice(ConfigPart::Answers, PASS_ON)),
        Ok(response) => match judge(path, &response) {
            Ok(seen) => ok(check, seen),
            Err(wrong) => {
                // Only the app answers such a request with success.
                let is_served = (200..300).contains(&response.status);
                let part = if is_served { ConfigPart::Guard } else { ConfigPart::Answers };
                problem(check, wrong, app.advice(part, PASS_ON))
            }
        },
    }
}
