//! Responses without an end in a browser: when the session ends, an event stream, a download and a download that is not
//! read end as errors, and the browser does not ask again and again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::front_door::FrontDoor;
use super::load::EVERYONE;
use super::program::{Program, node};
use super::report::Row;
use crate::support::chrome::Chrome;
use crate::support::process::eventually;

/// The end of a session reaches the browser within this time. On an idle machine it takes a few milliseconds.
const SOON: Duration = Duration::from_millis(500);

const OPEN: &str = "
    const seen = { events: 0, bytes: 0, states: [] };
    window.seen = seen;
    const events = new EventSource('/events');
    events.onmessage = () => { seen.events += 1; };
    events.onerror = () => { seen.states.push(events.readyState); };
    const read = async () => {
        const reader = (await fetch('/endless')).body.getReader();
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return 'complete';
            seen.bytes += value.length;
        }
    };
    const ended = (text) => { seen.download = text; seen.at = Date.now(); };
    read().then(ended, (error) => ended(error.name));
    fetch('/endless').then((response) => { window.unread = response; });";

/// Reads the unread download to its end, as far as the browser has received it.
const READ: &str = "
    const [done] = arguments;
    window.unread.arrayBuffer().then(() => done('complete'), (error) => done(error.name));";

pub async fn streams_end_with_their_session() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let app = Program::start(|port, _| node(port, &[])).await;
    door.register("lasting", app.port, EVERYONE);
    let chrome = door.chrome().await;
    door.log_in_on_the_way(&chrome, "lasting", "/", &door.ada).await;
    chrome.run(OPEN, vec![]).await;
    until(&chrome, "streams", |seen| seen["events"].as_u64() > Some(3) && seen["bytes"].as_u64() > Some(0))
        .await;
    assert_eq!(app.counts().await["streams"], 3);

    door.end_other_sessions(&door.ada).await;
    let answered = SystemTime::now().duration_since(UNIX_EPOCH).expect("a later time");
    let seen =
        until(&chrome, "their end", |seen| seen["at"].is_u64() && seen["states"] == json!([0, 2])).await;
    assert_eq!(seen["download"], "TypeError", "a download that was cut looks complete: {seen}");
    assert_eq!(chrome.run_async(READ, vec![]).await, "TypeError");
    // The event stream asked once more, and got a 401 from Latchkey.
    assert_eq!(app.counts().await["streams"], 3);
    let at = Duration::from_millis(seen["at"].as_u64().expect("a time"));
    let late = at.saturating_sub(answered);
    vec![
        Row::new(
            "an open download after its session has ended elsewhere",
            format!("an error {} ms after the answer", late.as_millis()),
            "an error within 500 ms",
            late <= SOON,
        ),
        Row::went("a download that is not read: an error; an event stream: one 401, no further attempt"),
    ]
}

async fn until(chrome: &Chrome, what: &str, is_seen: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let seen = chrome.run("return window.seen;", vec![]).await;
        is_seen(&seen).then_some(seen)
    })
    .await
}
