//! Whether the rules and the app see the URL that the client requested.

use super::asking::{KnownApp, Unanswered};
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::web::ops::app_question::{AppObservation, ECHO, PassedOn};

const FORGED: &str = "latchkey-forged";

/// Headers that name another URL, method or client, which some servers believe.
const CLAIMS: [(&str, &str); 10] = [
    ("x-original-url", "/latchkey-forged"),
    ("x-rewrite-url", "/latchkey-forged"),
    ("x-forwarded-uri", "/latchkey-forged"),
    ("x-forwarded-prefix", "/latchkey-forged"),
    ("x-forwarded-host", "latchkey-forged.invalid"),
    ("x-forwarded-server", "latchkey-forged.invalid"),
    ("x-host", "latchkey-forged.invalid"),
    ("forwarded", "host=latchkey-forged.invalid;proto=gopher"),
    ("x-http-method-override", "latchkey-forged"),
    ("x-method-override", "latchkey-forged"),
];

/// A query with what proxies like to change.
const QUERY: &str = "a=1&b=%2F&c=/../x&d=%25&e=%C3%A9&f=+&a=2";

pub fn url(app: &KnownApp) -> Finding {
    let check = "app.url";
    let target = format!("{ECHO}?{QUERY}");
    match app.site.ask(&target, &[]) {
        Ok(seen) => {
            if let Err(wrong) = is_served(app, &seen, &target) {
                return problem(check, wrong, KEEP);
            }
        }
        Err(unanswered) => return unanswered.finding(check, &app.site),
    }
    match app.site.ask(&target, &CLAIMS) {
        Ok(seen) => {
            if let Err(wrong) = is_served(app, &seen, &target) {
                return problem(check, format!("with forged headers, {wrong}"), KEEP);
            }
        }
        // Some proxies refuse requests with such headers.
        Err(Unanswered::Other { status: 400..500 }) => {}
        Err(unanswered) => return unanswered.finding(check, &app.site),
    }
    let absolute = format!("{}{target}", app.site.origin);
    match app.site.ask(&absolute, &[]) {
        Ok(seen) => match is_served(app, &seen, &target) {
            Ok(()) => ok(check, "path, query and host arrive as requested, even with forged headers"),
            Err(wrong) => problem(check, format!("in absolute form, {wrong}"), KEEP),
        },
        Err(Unanswered::Other { status }) => ok(
            check,
            format!("path, query and host are those that were asked for; the absolute form gets {}", status),
        ),
        Err(unanswered) => unanswered.finding(check, &app.site),
    }
}

const KEEP: &str = "let the proxy in front pass method, path, query and `Host` on unchanged";

/// Whether `target` arrived, and would reach the app, with our word about host and scheme.
fn is_served(app: &KnownApp, seen: &AppObservation, target: &str) -> Result<(), String> {
    let arrived = &seen.arrived;
    if (arrived.method.as_str(), arrived.target.as_str()) != ("GET", target) {
        return Err(format!("GET {target} arrives as {} {}", arrived.method, arrived.target));
    }
    let PassedOn::Request { method, target: served, headers } = &seen.passed_on else {
        // app.upstream says why.
        return Ok(());
    };
    if (method.as_str(), served.as_str()) != ("GET", target) {
        return Err(format!("GET {target} reaches the app as {method} {served}"));
    }
    if let Some((name, value)) = headers.iter().find(|(_, value)| value.contains(FORGED)) {
        return Err(format!("the app receives {name}: {value}"));
    }
    for (name, expected) in [
        ("x-forwarded-host", app.site.origin.authority().as_str()),
        ("x-forwarded-proto", app.site.url.scheme()),
    ] {
        let said: Vec<&str> =
            headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        if said != [expected] {
            return Err(format!("the app receives {name} {said:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// Paths that some servers read in another way.
const RAW: [&str; 5] = [
    "/latchkey-doctor/%2e%2e/a",
    "/latchkey-doctor//a",
    "/latchkey-doctor/a%2fb",
    "/latchkey-doctor/./a",
    "/latchkey-doctor/%61",
];

pub fn raw(app: &KnownApp) -> Finding {
    let check = "app.path";
    let (mut changed, mut refused) = (Vec::new(), Vec::new());
    for path in RAW {
        match app.site.ask(path, &[]) {
            Ok(seen) => {
                let arrived = &seen.arrived.target;
                if arrived != path {
                    changed.push(format!("{path} as {arrived}"));
                }
                if let PassedOn::Request { target, .. } = &seen.passed_on
                    && target != arrived
                {
                    return problem(
                        check,
                        format!("the rules check {arrived}, but {target} reaches the app"),
                        "report this: the rules would decide about another path than the app serves",
                    );
                }
            }
            Err(Unanswered::Other { .. }) => refused.push(path),
            Err(unanswered) => return unanswered.finding(check, &app.site),
        }
    }
    match (changed.is_empty(), refused.is_empty()) {
        (true, true) => {
            ok(check, "%2e%2e, // and %2f arrive as they were sent, for the rules and for the app")
        }
        (true, false) => note(
            check,
            format!("a proxy in front refuses {}", refused.join(", ")),
            "the others arrive as they were sent",
        ),
        (false, _) => warning(
            check,
            format!("a proxy in front rewrites paths: {}", changed.join("; ")),
            "the rules and the app see the same path, but not the one that the client requested: make it pass on the raw path (`proxy_pass` without a path in nginx)",
        ),
    }
}
