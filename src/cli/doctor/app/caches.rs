//! Whether something between the client and Latchkey answers in its place: from a cache, or when Latchkey does not.

use std::thread;
use std::time::Duration;

use super::advice::ConfigPart;
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
    look_closed(app)
        .unwrap_or_else(|unanswered| app.unanswered("app.closed", &unanswered, ConfigPart::FailsClosed))
}

const PRETENCES: [(Pretend, &str); 4] = [
    (Pretend::Refuse, "refuses the user"),
    (Pretend::Close, "ends the connection"),
    (Pretend::Unavailable, "has no database"),
    (Pretend::Slow, "does not answer"),
];

const NO_OTHER_ANSWERS: &str = "remove stale caching, error pages with a status of success and other servers from the route of this host (`proxy_cache_use_stale`, `proxy_next_upstream`, `error_page … =200` in nginx)";

fn look_closed(app: &KnownApp) -> Result<Finding, Unanswered> {
    let check = "app.closed";
    let target = new_target()?;
    // A cache would store this response.
    app.ask(&target, &[])?;
    // In forward-auth mode, the app may be behind other lines of the configuration than the echo.
    let paths = if app.is_forwarded() { vec![target.as_str(), "/"] } else { vec![target.as_str()] };
    let status_of = |path: &str, pretend| {
        let spec = RequestSpec { within: HANGS_FOR, ..RequestSpec::get(path, &[]) };
        // Without a response, there is no page either.
        app.site.send_question(spec, pretend).ok().map(|(_, response)| response.status)
    };
    let asked = paths.iter().flat_map(|path| PRETENCES.map(|(pretend, what)| (*path, pretend, what)));
    let wrong = thread::scope(|scope| {
        // At once, because a proxy waits for a decision that does not come.
        let running: Vec<_> = asked
            .map(|(path, pretend, what)| (what, scope.spawn(move || status_of(path, pretend))))
            .collect();
        let mut answers = running.into_iter().map(|(what, answer)| (what, answer.join().ok().flatten()));
        answers.find_map(|(what, status)| Some((what, status.filter(|status| *status < 400)?)))
    });
    Ok(match wrong {
        None => ok(
            check,
            "when Latchkey refuses, ends the connection, hangs or has no database, no client gets a page",
        ),
        Some((what, status)) => problem(
            check,
            format!(
                "when Latchkey {what}, the client gets {status}: something in front answers in its place"
            ),
            app.advice(ConfigPart::FailsClosed, NO_OTHER_ANSWERS),
        ),
    })
}

/// A response for one user must not be given to another.
pub fn cached(app: &KnownApp) -> Finding {
    look_cached(app).unwrap_or_else(|unanswered| app.unanswered("app.cache", &unanswered, ConfigPart::Cache))
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
                app.advice(
                    ConfigPart::Cache,
                    "turn caching off for this host: users would see each other's pages",
                ),
            ));
        }
        return Err(Unanswered::Other { status: second.status });
    }
    let control = first.header("cache-control").unwrap_or_default();
    if control != "private" {
        return Ok(warning(
            check,
            format!("`Cache-Control: private` arrives as {control:?}"),
            app.advice(
                ConfigPart::Answers,
                "let the proxy in front pass it on unchanged: other caches and browsers depend on it",
            ),
        ));
    }
    Ok(ok(check, "no cache in front stores a private response"))
}
