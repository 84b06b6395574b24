//! Whether something between the client and Latchkey answers in its place: from a cache, or when Latchkey does not.

use std::time::Duration;

use super::asking::{KnownApp, Unanswered};
use crate::cli::doctor::finding::{Finding, ok, problem, warning};
use crate::cli::doctor::http::RequestSpec;
use crate::secret::{encode, random};
use crate::web::ops::app_question::{ECHO, Pretend};

/// How long the doctor waits for an instance that seems to hang.
const HANGS_FOR: Duration = Duration::from_secs(4);

/// A target that no cache knows yet.
fn new_target() -> Result<String, Unanswered> {
    let once = random::<9>().map_err(|error| Unanswered::Failed(error.to_string()))?;
    Ok(format!("{ECHO}?once={}", encode(&once)))
}

/// If Latchkey refuses, ends the connection, hangs or has no database, no client may get a page.
pub fn closed(app: &KnownApp) -> Finding {
    look_closed(app).unwrap_or_else(|unanswered| unanswered.finding("app.closed", &app.site))
}

fn look_closed(app: &KnownApp) -> Result<Finding, Unanswered> {
    let check = "app.closed";
    let target = new_target()?;
    // A cache would store this response.
    app.site.ask(&target, &[])?;
    for (pretend, what) in [
        (Pretend::Refuse, "refuses the user"),
        (Pretend::Close, "ends the connection"),
        (Pretend::Unavailable, "has no database"),
        (Pretend::Slow, "does not answer"),
    ] {
        let spec = RequestSpec { within: HANGS_FOR, ..RequestSpec::get(&target, &[]) };
        // Without a response, there is no page either.
        let Ok((_, response)) = app.site.send_question(spec, pretend) else { continue };
        if response.status < 400 {
            return Ok(problem(
                check,
                format!(
                    "when Latchkey {what}, the client gets {}: something in front answers in its place",
                    response.status
                ),
                "remove stale caching, error pages with a status of success and other servers from the route of this host (`proxy_cache_use_stale`, `proxy_next_upstream`, `error_page … =200` in nginx)",
            ));
        }
    }
    Ok(ok(
        check,
        "when Latchkey refuses, ends the connection, hangs or has no database, no client gets a page",
    ))
}

/// A response for one user must not be given to another.
pub fn cached(app: &KnownApp) -> Finding {
    look_cached(app).unwrap_or_else(|unanswered| unanswered.finding("app.cache", &app.site))
}

fn look_cached(app: &KnownApp) -> Result<Finding, Unanswered> {
    let check = "app.cache";
    let target = new_target()?;
    let ask = || app.site.send_question(RequestSpec::get(&target, &[]), Pretend::Nothing);
    let (first_question, first) = ask()?;
    let (question, second) = ask()?;
    if app.site.observed(&question, &second.body).is_none() {
        if app.site.observed(&first_question, &second.body).is_some() {
            return Ok(problem(
                check,
                "a cache in front gives the response for one request to another, although it is private",
                "turn caching off for this host: users would see each other's pages",
            ));
        }
        return Err(Unanswered::Other { status: second.status });
    }
    let control = first.header("cache-control").unwrap_or_default();
    if control != "private" {
        return Ok(warning(
            check,
            format!("`Cache-Control: private` arrives as {control:?}"),
            "let the proxy in front pass it on unchanged: other caches and browsers depend on it",
        ));
    }
    Ok(ok(check, "no cache in front stores a private response"))
}
