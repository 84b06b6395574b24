//! Streams of a session that is not revoked: they must go on, however often another session of the user is revoked.

use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;

use super::app::ProbeApp;
use super::client::StreamClient;

/// How long a stream may take to show that it goes on.
const TIMEOUT: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(5);

/// Returns how many of the streams still receive data, and ends them.
pub async fn going_on(streams: Vec<StreamClient>, app: &ProbeApp) -> usize {
    let asked = Instant::now();
    let since = app.clock(asked);
    streams.iter().for_each(StreamClient::resume);
    loop {
        let going_on = streams.iter().filter(|stream| stream.went_on(since)).count();
        if going_on == streams.len() || asked.elapsed() > TIMEOUT {
            return going_on;
        }
        sleep(PAUSE).await;
    }
}
