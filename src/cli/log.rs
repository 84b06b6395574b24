//! Logs on standard error: readable in a terminal, one JSON object a line elsewhere.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub fn start() {
    // What anybody can provoke (a cookie that does not fit, a head that cannot be read) is no error of ours,
    // and how the server starts its threads is of no use to anybody.
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy("info,actix_server=warn,actix_session=error,actix_http::h1::dispatcher=off");
    let registry = tracing_subscriber::registry().with(filter);
    if stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr)).init();
    } else {
        let json = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            // There is one span, the request's.
            .with_span_list(false)
            .with_writer(stderr);
        registry.with(json).init();
    }
}
