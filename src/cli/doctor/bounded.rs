//! A check with a timeout.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::finding::{Finding, problem};

/// Runs one check in its own thread: if it hangs or panics, this is its finding, and the others are not affected. The
/// thread is abandoned, because the process is about to exit.
pub(super) fn bounded<T: Send + 'static>(
    check: &'static str,
    within: Duration,
    look: impl FnOnce() -> Result<T, Finding> + Send + 'static,
) -> Result<T, Finding> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let _ = sender.send(look());
    });
    let answer = receiver.recv_timeout(within).map_err(|error| match error {
        RecvTimeoutError::Timeout => problem(
            check,
            format!("no answer within {} s", within.as_secs()),
            "check whether it is reachable from here, and what it waits for",
        ),
        RecvTimeoutError::Disconnected => failed(check),
    });
    answer.flatten()
}

pub(super) fn failed(check: &'static str) -> Finding {
    problem(check, "the check itself failed", "run it again; if it fails again, report it")
}
