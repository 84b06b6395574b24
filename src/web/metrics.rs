//! What happens here, in numbers, for Prometheus (text format 0.0.4): answered on a port of its own. Labels are words
//! of ours, never of a request's.

use std::collections::HashMap;
use std::fmt::Write as _;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Data;
use actix_web::{App, HttpResponse, HttpServer, web};

use super::error::Error;
use super::{Shared, routes};
use crate::counters::{Counter, Durations};
use crate::db::Fault;

/// By route and by why somebody was turned away.
pub struct Requests {
    /// The pattern of a route to its place.
    places: HashMap<&'static str, usize>,
    routes: Vec<Routed>,
    refused: [Counter; REFUSALS.len()],
}

#[derive(Default)]
struct Routed {
    path: &'static str,
    /// 1xx to 5xx.
    classes: [Counter; 5],
    took: Durations,
}

/// What no route was found for; its label.
const OTHER: &str = "other";

/// Outside the table.
const MORE: [&str; 4] = ["/healthz", "/readyz", "/static/{name}", OTHER];

const REFUSALS: [&str; 7] =
    ["log-in", "confirm", "forbidden", "foreign-form", "cross-site", "throttled", "fault"];

impl Default for Requests {
    fn default() -> Self {
        let rows = routes::table().into_iter().chain(routes::local_table()).map(|row| row.path);
        let mut this = Self { places: HashMap::new(), routes: Vec::new(), refused: Default::default() };
        for path in rows.chain(MORE) {
            if !this.places.contains_key(path) {
                this.places.insert(path, this.routes.len());
                this.routes.push(Routed { path, ..Routed::default() });
            }
        }
        this
    }
}

impl Requests {
    /// Counts an answer that is about to go out.
    pub fn count(
        &self,
        pattern: Option<&str>,
        status: StatusCode,
        error: Option<&Error>,
        took: std::time::Duration,
    ) {
        let place = pattern.and_then(|pattern| self.places.get(pattern)).or_else(|| self.places.get(OTHER));
        if let Some(routed) = place.and_then(|place| self.routes.get(*place)) {
            let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
            routed.classes[class].count();
            routed.took.record(took);
        }
        if let Some(refused) = refusal(status, error) {
            self.refused[refused].count();
        }
    }
}

/// Its place among [`REFUSALS`].
fn refusal(status: StatusCode, error: Option<&Error>) -> Option<usize> {
    Some(match error {
        Some(Error::LogIn { .. }) => 0,
        Some(Error::Confirm { .. }) => 1,
        Some(Error::Forbidden) => 2,
        Some(Error::ForeignForm) => 3,
        Some(Error::CrossSite) => 4,
        _ if status == StatusCode::TOO_MANY_REQUESTS => 5,
        Some(Error::Fault(_)) => 6,
        _ => return None,
    })
}

/// A server for `/metrics` and nothing else, of one thread.
///
/// # Errors
/// That the address is taken, or not ours.
pub fn serve(address: std::net::SocketAddr, shared: Data<Shared>) -> std::io::Result<actix_web::dev::Server> {
    let app =
        move || App::new().app_data(shared.clone()).route("/metrics", web::method(Method::GET).to(metrics));
    Ok(HttpServer::new(app).workers(1).shutdown_timeout(1).disable_signals().bind(address)?.run())
}

async fn metrics(shared: Data<Shared>) -> HttpResponse {
    match text(&shared).await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
            .body(text),
        Err(fault) => {
            tracing::error!(%fault, "the metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

async fn text(shared: &Shared) -> Result<String, Fault> {
    // What only the database knows is left out while it does not answer: everything else is worth most then.
    let mailer = shared.accounts.mailer().clone();
    let waiting =
        shared.accounts.db().read(move |conn| mailer.stuck(conn, std::time::Duration::ZERO)).await.ok();
    let tidied = shared.accounts.last_tidied().await.ok().flatten();
    let mut out = String::new();
    write(&mut out, shared, waiting.map(|(letters, _)| letters), tidied.map(|tidied| tidied.ago.as_secs()))
        .map_err(Fault::bug)?;
    Ok(out)
}

fn write(
    out: &mut String,
    shared: &Shared,
    letters: Option<i64>,
    tidied_ago: Option<u64>,
) -> std::fmt::Result {
    let requests = &shared.requests;
    head(out, "latchkey_requests_total", "counter", "Answers, by route and class of status.")?;
    for routed in &requests.routes {
        for (class, count) in routed.classes.iter().enumerate().filter(|(_, count)| count.get() > 0) {
            let (path, class, count) = (routed.path, class + 1, count.get());
            writeln!(out, "latchkey_requests_total{{route=\"{path}\",status=\"{class}xx\"}} {count}")?;
        }
    }
    head(
        out,
        "latchkey_request_seconds",
        "histogram",
        "From the head of a request to its answer, by route.",
    )?;
    for routed in requests.routes.iter().filter(|routed| routed.took.count() > 0) {
        routed.took.write(out, "latchkey_request_seconds", &format!("route=\"{}\"", routed.path))?;
    }
    head(out, "latchkey_refusals_total", "counter", "Requests that were turned away, by why.")?;
    for (why, count) in REFUSALS.iter().zip(&requests.refused) {
        writeln!(out, "latchkey_refusals_total{{why=\"{why}\"}} {}", count.get())?;
    }
    let sessions = shared.accounts.sessions();
    let counts = sessions.counts();
    head(out, "latchkey_session_loads_total", "counter", "Sessions looked for, by where.")?;
    for (from, count) in [("hit", &counts.hits), ("miss", &counts.misses), ("bypass", &counts.bypasses)] {
        writeln!(out, "latchkey_session_loads_total{{from=\"{from}\"}} {}", count.get())?;
    }
    head(out, "latchkey_revocation_seconds", "histogram", "Until what was taken back was gone everywhere.")?;
    counts.everywhere.write(out, "latchkey_revocation_seconds", "")?;
    let one = |out: &mut String, name: &str, kind: &str, help: &str, value: u64| {
        head(out, name, kind, help)?;
        writeln!(out, "{name} {value}")
    };
    let run_out = "Revocations that waited for a lease to run out.";
    one(out, "latchkey_revocations_run_out_total", "counter", run_out, counts.run_out.get())?;
    one(out, "latchkey_sessions_cached", "gauge", "Sessions in memory.", sessions.cached() as u64)?;
    let lease = "1 while sessions may be served from memory.";
    one(out, "latchkey_lease_held", "gauge", lease, sessions.is_trusted().into())?;
    let hashing = shared.accounts.hashing();
    one(out, "latchkey_hashes_running", "gauge", "Passwords being hashed.", hashing.running as u64)?;
    one(out, "latchkey_hashes_waiting", "gauge", "Passwords waiting to be hashed.", hashing.waiting as u64)?;
    let db = shared.accounts.db();
    let (used, size) = db.load();
    one(out, "latchkey_pool_connections_used", "gauge", "Database connections at work.", used as u64)?;
    one(out, "latchkey_pool_connections_max", "gauge", "Database connections there may be.", size as u64)?;
    let refused = "Requests for which no database connection was free in time.";
    one(out, "latchkey_pool_refused_total", "counter", refused, db.counts().refused.get())?;
    head(out, "latchkey_pool_wait_seconds", "histogram", "Waits for a database connection.")?;
    db.counts().waited.write(out, "latchkey_pool_wait_seconds", "")?;
    if let Some(letters) = letters {
        let help = "Letters due and not delivered, of all instances.";
        one(out, "latchkey_outbox_due", "gauge", help, u64::try_from(letters).unwrap_or_default())?;
    }
    if let Some(seconds) = tidied_ago {
        let help = "Since what has ended was last deleted, by whichever instance.";
        one(out, "latchkey_upkeep_age_seconds", "gauge", help, seconds)?;
    }
    head(out, "latchkey_build_info", "gauge", "Which version this is.")?;
    writeln!(out, "latchkey_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}
