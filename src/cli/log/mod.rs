//! Logs on standard error: as text in a terminal, otherwise one JSON object per line.
//!
//! The levels are fixed and `RUST_LOG` is not read: below `info` the libraries log what they handle, such as passwords,
//! cookies and emails.

mod json_lines;

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use json_lines::{JsonLines, JsonMembers};

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
            .event_format(JsonLines)
            .fmt_fields(JsonMembers)
            .with_writer(stderr);
        registry.with(json).init();
    }
}
