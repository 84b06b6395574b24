//! Metrics for Prometheus (text format 0.0.4), served on a port of their own. Labels are a fixed set of words and never
//! come from a request.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{App, HttpResponse, web};

use crate::db::Fault;
use crate::web::http::server::{self, Sizes};
use crate::web::http::shared::Shared;
use crate::web::ops::own_process;

/// One or two Prometheus servers scrape; each scrape queries the database.
const SIZES: Sizes = Sizes {
    workers: 1,
    blocking_threads: 4,
    connections_per_worker: 64,
    finish_within: Duration::from_secs(1),
};

/// A single-threaded server for `/metrics` only.
///
/// # Errors
/// If the address is in use or is not this machine's.
pub fn serve(address: std::net::SocketAddr, shared: Data<Shared>) -> std::io::Result<actix_web::dev::Server> {
    let app =
        move || App::new().app_data(shared.clone()).route("/metrics", web::method(Method::GET).to(metrics));
    server::serve(TcpListener::bind(address)?, &SIZES, app)
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
    // Metrics from the database are left out while it does not answer: the others are needed most then.
    let mailer = shared.accounts.mailer().clone();
    let waiting = shared.accounts.db().read(move |conn| mailer.stuck(conn, Duration::ZERO)).await.ok();
    let tidied = shared.accounts.maintenance.last_purge().await.ok().flatten();
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
    head(
        out,
        "latchkey_requests_total",
        "counter",
        "Answers, by row of the route table and class of status.",
    )?;
    requests.write_answers(out, "latchkey_requests_total")?;
    let took = "From the head of a request to its answer, by row of the route table.";
    head(out, "latchkey_request_seconds", "histogram", took)?;
    requests.write_durations(out, "latchkey_request_seconds")?;
    head(out, "latchkey_refusals_total", "counter", "Requests that were turned away, by why.")?;
    for (why, count) in requests.refusals() {
        writeln!(out, "latchkey_refusals_total{{why=\"{why}\"}} {}", count.get())?;
    }
    head(
        out,
        "latchkey_log_ins_total",
        "counter",
        "Steps of logging in, by the way taken and how they ended.",
    )?;
    for (way, outcome, count) in shared.accounts.login.counters().totals() {
        writeln!(out, "latchkey_log_ins_total{{way=\"{way}\",outcome=\"{outcome}\"}} {count}")?;
    }
    let sessions = shared.accounts.sessions();
    let counts = sessions.counts();
    head(out, "latchkey_session_loads_total", "counter", "Sessions looked for, by where.")?;
    for (from, count) in [("hit", &counts.hits), ("miss", &counts.misses), ("bypass", &counts.bypasses)] {
        writeln!(out, "latchkey_session_loads_total{{from=\"{from}\"}} {}", count.get())?;
    }
    head(out, "latchkey_revocation_seconds", "histogram", "Until what was taken back was gone everywhere.")?;
    counts.invalidations.write(out, "latchkey_revocation_seconds", "")?;
    let one = |out: &mut String, name: &str, kind: &str, help: &str, value: u64| {
        head(out, name, kind, help)?;
        writeln!(out, "{name} {value}")
    };
    let run_out = "Revocations that waited for a lease to run out.";
    one(out, "latchkey_revocations_run_out_total", "counter", run_out, counts.expiry_waits.get())?;
    one(out, "latchkey_sessions_cached", "gauge", "Sessions in memory.", sessions.cached() as u64)?;
    let lease = "1 while sessions may be served from memory.";
    one(out, "latchkey_lease_held", "gauge", lease, sessions.has_lease().into())?;
    let hashing = shared.accounts.passwords.load();
    one(out, "latchkey_hashes_running", "gauge", "Passwords being hashed.", hashing.running as u64)?;
    one(out, "latchkey_hashes_waiting", "gauge", "Passwords waiting to be hashed.", hashing.waiting as u64)?;
    let refused = shared.accounts.passwords.refused();
    head(out, "latchkey_hashes_refused_total", "counter", "Passwords that were not hashed, by why.")?;
    for (why, count) in [("full", &refused.full), ("slow", &refused.slow)] {
        writeln!(out, "latchkey_hashes_refused_total{{why=\"{why}\"}} {}", count.get())?;
    }
    let mailed = shared.accounts.mailer().counts();
    head(out, "latchkey_letters_total", "counter", "Attempts to deliver a letter, by how they ended.")?;
    for (outcome, count) in [("delivered", &mailed.delivered), ("failed", &mailed.failed)] {
        writeln!(out, "latchkey_letters_total{{outcome=\"{outcome}\"}} {}", count.get())?;
    }
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
    for (name, kind, help, value) in own_process::process_metrics() {
        head(out, name, kind, help)?;
        writeln!(out, "{name} {value}")?;
    }
    head(out, "latchkey_build_info", "gauge", "Which version this is.")?;
    writeln!(out, "latchkey_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}
