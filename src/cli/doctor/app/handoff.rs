//! Cookies both ways, and the first step of the log-in.

use super::advice::ConfigPart;
use super::asking::KnownApp;
use crate::apps::ProxyKind;
use crate::cli::doctor::finding::{Finding, note, ok, problem};
use crate::cli::doctor::http::RequestSpec;
use crate::cli::doctor::site::has_our_attributes;
use crate::web::AppCookieNames;
use crate::web::ops::app_question::{ECHO, PassedOn};

/// Whether our cookies arrive here, and stay out of the app.
pub fn cookies(app: &KnownApp) -> Finding {
    let check = "app.cookies";
    let AppCookieNames { key, state } = AppCookieNames::on(&app.site.origin);
    // A browser never sends the portal's cookie to an app, and nginx can remove no more than two.
    let portals = if app.is_forwarded() { "" } else { "; latchkey=none" };
    let sent = format!("theme=doctor; {key}=none; {state}=none{portals}");
    let seen = match app.ask(ECHO, &[("cookie", sent.as_str())]) {
        Ok(seen) => seen,
        Err(unanswered) => return app.unanswered(check, &unanswered, ConfigPart::CookiesAsked),
    };
    let lost: Vec<&str> = ["theme", key, state]
        .into_iter()
        .filter(|name| !seen.arrived.cookies.iter().any(|known| known == name))
        .collect();
    if !lost.is_empty() {
        return problem(
            check,
            format!("a proxy removes cookies of the browser: {} does not arrive", lost.join(", ")),
            app.advice(
                ConfigPart::CookiesAsked,
                "make it pass on `Cookie` unchanged: without the app's cookie, users return to the log-in again and again",
            ),
        );
    }
    let PassedOn::Request { headers, .. } = &seen.passed_on else {
        return note(check, "our cookies arrive here; the app receives nothing", "see app.upstream");
    };
    let received: Vec<&str> =
        headers.iter().filter(|(name, _)| name == "cookie").map(|(_, value)| value.as_str()).collect();
    match received[..] {
        ["theme=doctor"] => ok(check, "our cookies arrive here, and the app receives only its own"),
        // It cannot be configured to.
        _ if app.proxy.is_some_and(|proxy| proxy.kind == ProxyKind::Traefik) => note(
            check,
            "our cookies arrive here; the app receives them too",
            app.advice(ConfigPart::Cookies, ""),
        ),
        _ => problem(
            check,
            format!("the app receives {received:?}"),
            app.advice(ConfigPart::Cookies, "report this: the app must not see our cookies"),
        ),
    }
}

/// Whether the first step of a log-in sets its cookie and leads to the portal.
pub fn begin(app: &KnownApp) -> Finding {
    let check = "app.handoff";
    let response = match app.site.send(RequestSpec::get("/.latchkey/in?to=%2F", &[])) {
        Ok(response) => response,
        Err(why) => return problem(check, why, "the log-in begins at this address"),
    };
    let location = response.header("location").unwrap_or_default();
    let portal = format!("{}/go/{}?", app.site.portal, app.slug());
    if response.status != 302 || !location.starts_with(&portal) {
        return problem(
            check,
            format!("/.latchkey/in gets {} and leads to {location:?} instead of {portal}", response.status),
            app.advice(
                ConfigPart::Door,
                "let the proxy in front pass /.latchkey/ on to Latchkey, and `Location` back unchanged",
            ),
        );
    }
    let AppCookieNames { state, .. } = AppCookieNames::on(&app.site.origin);
    let Some(cookie) = response.all("set-cookie").find(|cookie| cookie.starts_with(&format!("{state}=")))
    else {
        return problem(
            check,
            "/.latchkey/in sets no cookie",
            app.advice(ConfigPart::Door, "log-ins fail: let the proxy in front pass `Set-Cookie` back"),
        );
    };
    if !has_our_attributes(cookie, app.site.origin.is_https()) {
        return problem(
            check,
            format!("the cookie {state} arrives changed"),
            app.advice(ConfigPart::Door, "a proxy rewrites cookies: let it pass `Set-Cookie` back unchanged"),
        );
    }
    ok(check, format!("/.latchkey/in sets {state} and leads to {portal}…"))
}
