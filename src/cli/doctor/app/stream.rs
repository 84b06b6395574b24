//! Whether a proxy in forward-auth mode bounds the time of a websocket: it does not end one when its session ends.

use std::time::Duration;

use super::advice::ConfigPart;
use super::asking::KnownApp;
use crate::cli::doctor::bounded;
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::cli::doctor::websocket::{self, SocketEnd};
use crate::web::ops::app_question::STREAM;
use crate::web::ops::doctor::HEADER;

const CHECK: &str = "app.stream";

/// For the connection and the handshake.
const MORE: Duration = Duration::from_secs(30);

pub fn look(app: &KnownApp, slow: Option<Duration>) -> Finding {
    let Some(slow) = slow else {
        return note(
            CHECK,
            "not checked: how long a websocket stays open after its session has ended",
            "run this with --slow, which takes up to 330 s",
        );
    };
    let app = app.clone();
    bounded(CHECK, slow + MORE, move || Ok(measured(&app, slow))).unwrap_or_else(|finding| finding)
}

fn measured(app: &KnownApp, slow: Duration) -> Finding {
    let origin = app.site.origin.to_string();
    let question = match app.site.question("GET") {
        Ok(question) => question,
        Err(why) => return problem(CHECK, why, "run it again"),
    };
    let headers = [(HEADER, question.as_str()), ("origin", origin.as_str())];
    match websocket::hold(&app.site.url, STREAM, &headers, slow) {
        Err(why) => problem(CHECK, why, app.advice(ConfigPart::Upgrade, "")),
        Ok(SocketEnd::After(time)) => ok(
            CHECK,
            format!(
                "the proxy ends a websocket after {} s, so none stays open longer than that after its session",
                time.as_secs()
            ),
        ),
        Ok(SocketEnd::NotWithin) => warning(
            CHECK,
            format!(
                "a websocket is still open after {} s: it stays open when its session has ended",
                slow.as_secs()
            ),
            app.advice(ConfigPart::Streams, ""),
        ),
    }
}
