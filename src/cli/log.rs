//! Logs on standard error: readable in a terminal, one JSON object a line elsewhere.
//!
//! What is logged is fixed. `RUST_LOG` is not read: below `info` the libraries log what they handle, which are
//! passwords, cookies and letters.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub fn start() {
    // A client can provoke a cookie that does not fit or a head that cannot be read: neither is an error of ours.
    // How the server starts its threads helps no operator.
    let filter = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("actix_server", LevelFilter::WARN)
        .with_target("actix_session", LevelFilter::ERROR)
        .with_target("actix_http::h1::dispatcher", LevelFilter::OFF);
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
