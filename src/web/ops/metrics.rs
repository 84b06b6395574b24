//! Metrics for Prometheus, in its text format and on a port of their own. The values of labels are fixed words, never
//! taken from a request.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{App, HttpResponse, web};
use latchkey_db::counters::Durations;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric as _, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::db::Fault;
use crate::web::http::server::{self, IDLE_FOR, Sizes};
use crate::web::http::shared::Shared;
use crate::web::ops::own_process;

/// One or two Prometheus servers scrape, and each scrape queries the database.
const SIZES: Sizes = Sizes {
    workers: 1,
    blocking_threads: 4,
    connections_per_worker: 64,
    idle_for: IDLE_FOR,
    finish_within: Duration::from_secs(1),
};

/// A series without labels.
const UNLABELLED: [(&str, &str); 0] = [];

/// A server for `/metrics` and nothing else, with one thread.
///
/// # Errors
/// The address is in use, or does not belong to this machine.
pub fn serve(address: SocketAddr, shared: Data<Shared>) -> std::io::Result<Server> {
    let app =
        move || App::new().app_data(shared.clone()).route("/metrics", web::method(Method::GET).to(metrics));
    server::serve(vec![TcpListener::bind(address)?], &SIZES, app, || Rc::new(server::PortalOnly), || {})
}

async fn metrics(shared: Data<Shared>) -> HttpResponse {
    match exposition(shared).await {
        Ok(text) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text),
        Err(fault) => {
            tracing::error!(%fault, "the metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

async fn exposition(shared: Data<Shared>) -> Result<String, Fault> {
    // While the database does not answer, its metrics are left out: then the others matter most.
    let mailer = shared.accounts.mailer().clone();
    let due = shared.accounts.db().read(move |conn| mailer.stuck(conn, Duration::ZERO)).await.ok();
    let purged = shared.accounts.maintenance.last_purge().await.ok().flatten();
    let scrape = Scrape {
        shared,
        emails_due: due.map(|(emails, _)| u64::try_from(emails).unwrap_or_default()),
        purged_ago: purged.map(|purged| purged.ago.as_secs()),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).map_err(Fault::bug)?;
    Ok(text)
}

/// One scrape. Each component keeps its own counters, so that counting takes no lock; they are read here.
struct Scrape {
    shared: Data<Shared>,
    emails_due: Option<u64>,
    /// Seconds since the last purge.
    purged_ago: Option<u64>,
}

/// [`Collector`] requires it.
impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.requests(&mut families)?;
        self.sessions(&mut families)?;
        self.passwords_and_mail(&mut families)?;
        self.database(&mut families)?;
        own_process_metrics(&mut families)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        families.gauge("latchkey_build_info", "The running version.", version, 1_u64)
    }
}

impl Scrape {
    fn requests(&self, families: &mut Families<'_>) -> fmt::Result {
        let requests = &self.shared.requests;
        families.counter(
            "latchkey_requests_total",
            "Responses, by route and class of status.",
            requests.answers().map(|([method, route, guard], class, count)| {
                ([method, route, guard, ("status", class)], count)
            }),
        )?;
        families.histogram(
            "latchkey_request_seconds",
            "Time from the head of a request to its response, by route.",
            requests.durations(),
        )?;
        families.counter(
            "latchkey_refusals_total",
            "Refused requests, by reason.",
            requests.refusals().map(|(why, count)| ([("why", why)], count)),
        )?;
        families.counter(
            "latchkey_log_ins_total",
            "Log-in steps, by method and outcome.",
            self.shared
                .accounts
                .login
                .counters()
                .totals()
                .map(|(way, outcome, count)| ([("way", way), ("outcome", outcome)], count)),
        )
    }

    fn sessions(&self, families: &mut Families<'_>) -> fmt::Result {
        let sessions = self.shared.accounts.sessions();
        let counts = sessions.counts();
        let loads = [("hit", &counts.hits), ("miss", &counts.misses), ("bypass", &counts.bypasses)];
        families.counter(
            "latchkey_session_loads_total",
            "Session lookups, by where the session came from.",
            loads.into_iter().map(|(from, count)| ([("from", from)], count.get())),
        )?;
        let counts_of_tokens = self.shared.accounts.tokens.cache().counts();
        let lookups = [
            ("hit", &counts_of_tokens.hits),
            ("unknown", &counts_of_tokens.unknown),
            ("miss", &counts_of_tokens.misses),
        ];
        families.counter(
            "latchkey_token_lookups_total",
            "Access token lookups, by where the answer came from.",
            lookups.into_iter().map(|(from, count)| ([("from", from)], count.get())),
        )?;
        families.histogram(
            "latchkey_revocation_seconds",
            "Time until every instance has dropped a revoked session.",
            [(UNLABELLED, &counts.invalidations)],
        )?;
        families.counter(
            "latchkey_revocations_run_out_total",
            "Revocations that waited for a lease to expire.",
            [(UNLABELLED, counts.expiry_waits.get())],
        )?;
        families.gauge(
            "latchkey_sessions_cached",
            "Sessions held in memory.",
            UNLABELLED,
            sessions.cached(),
        )?;
        families.gauge(
            "latchkey_lease_held",
            "1 while sessions may be served from memory.",
            UNLABELLED,
            u64::from(sessions.has_lease()),
        )
    }

    fn passwords_and_mail(&self, families: &mut Families<'_>) -> fmt::Result {
        let passwords = &self.shared.accounts.passwords;
        let load = passwords.load();
        families.gauge("latchkey_hashes_running", "Passwords being hashed.", UNLABELLED, load.running)?;
        families.gauge(
            "latchkey_hashes_waiting",
            "Passwords waiting to be hashed.",
            UNLABELLED,
            load.waiting,
        )?;
        let refused = passwords.refused();
        families.counter(
            "latchkey_hashes_refused_total",
            "Passwords that were not hashed, by reason.",
            [("full", &refused.full), ("slow", &refused.slow)]
                .into_iter()
                .map(|(why, count)| ([("why", why)], count.get())),
        )?;
        let mailed = self.shared.accounts.mailer().counts();
        families.counter(
            "latchkey_letters_total",
            "Attempts to deliver an email, by outcome.",
            [("delivered", &mailed.delivered), ("failed", &mailed.failed)]
                .into_iter()
                .map(|(outcome, count)| ([("outcome", outcome)], count.get())),
        )
    }

    fn database(&self, families: &mut Families<'_>) -> fmt::Result {
        let db = self.shared.accounts.db();
        let (used, size) = db.load();
        families.gauge("latchkey_pool_connections_used", "Database connections in use.", UNLABELLED, used)?;
        families.gauge(
            "latchkey_pool_connections_max",
            "Most database connections that can be open.",
            UNLABELLED,
            size,
        )?;
        families.counter(
            "latchkey_pool_refused_total",
            "Requests for which no database connection was free in time.",
            [(UNLABELLED, db.counts().refused.get())],
        )?;
        families.histogram(
            "latchkey_pool_wait_seconds",
            "Time spent waiting for a database connection.",
            [(UNLABELLED, &db.counts().waited)],
        )?;
        if let Some(emails) = self.emails_due {
            families.gauge(
                "latchkey_outbox_due",
                "Emails that are due and not delivered yet, over all instances.",
                UNLABELLED,
                emails,
            )?;
        }
        if let Some(seconds) = self.purged_ago {
            families.gauge(
                "latchkey_upkeep_age_seconds",
                "Time since an instance last deleted expired data.",
                UNLABELLED,
                seconds,
            )?;
        }
        Ok(())
    }
}

fn own_process_metrics(families: &mut Families<'_>) -> fmt::Result {
    for (name, kind, help, value) in own_process::process_metrics() {
        match kind {
            MetricType::Counter => families.counter(name, help, [(UNLABELLED, value)])?,
            _ => families.gauge(name, help, UNLABELLED, value)?,
        }
    }
    Ok(())
}

/// Writes metric families: a name, a help text, and the value of each series.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    fn counter<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        // The encoder appends `_total`.
        let name = name.trim_end_matches("_total");
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        labels: L,
        value: V,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(family.encode_family(&labels)?)
    }

    fn histogram<'d, L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, &'d Durations)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, durations) in series {
            let seconds = durations.snapshot();
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                seconds.sum,
                seconds.count(),
                &seconds.buckets,
                None,
            )?;
        }
        Ok(())
    }
}
