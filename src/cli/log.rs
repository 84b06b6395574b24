//! Logs on standard error: readable in a terminal, one JSON object a line elsewhere.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub fn start() {
    // actix-session's own words about cookies that do not fit would repeat what anybody can provoke.
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy("info,actix_session=error");
    let registry = tracing_subscriber::registry().with(filter);
    if stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr)).init();
    } else {
        let json = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_writer(stderr);
        registry.with(json).init();
    }
}
