//! Logs on standard error: as text in a terminal, otherwise one JSON object per line.
//!
//! The levels are fixed and `RUST_LOG` is not read: below `info` the libraries log what they handle, such as passwords,
//! cookies and emails.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub fn start() {
    // Invalid cookies and request heads are errors of the client. How the server starts its threads is of no use to the
    // operator.
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
            // The only span is that of the request.
            .with_span_list(false)
            .with_writer(stderr);
        registry.with(json).init();
    }
}
