//! Starts the server of a cluster, and waits until it accepts connections. The caller holds the decision lock.

use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::launch::Launch;
use super::running::{LOOK_AGAIN, PATIENCE, Postmaster, pid_file};
use super::{LocalError, log};

/// How long the processes of a crashed server may take to notice that they are orphans; until then no new server can
/// start.
const ORPHANS_LINGER: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(500);

/// Returns the directory of the socket, once the server accepts connections there.
pub fn start(launch: &Launch) -> Result<PathBuf, LocalError> {
    let began = Instant::now();
    let crashed = pid_file(&launch.cluster.dir).exists();
    let log_start = log::put_away_if_long(launch.log);
    let mut child: Option<Child> = None;
    loop {
        match Postmaster::of(&launch.cluster.dir) {
            Some(running) if running.accepts_connections() => {
                reap(child);
                return Ok(running.socket_dir);
            }
            // Still starting, or still stopping because the last Latchkey process that used it was killed.
            Some(_) => {}
            None => match child.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => {}
                Some(_) if !crashed || began.elapsed() > ORPHANS_LINGER => {
                    return Err(LocalError::Died {
                        log: launch.log.to_owned(),
                        last_words: log::since(launch.log, log_start),
                    });
                }
                Some(_) => {
                    thread::sleep(RETRY);
                    child = launch.spawn()?;
                }
                None => child = launch.spawn()?,
            },
        }
        if began.elapsed() > PATIENCE {
            return Err(out_of_patience(launch, child, log_start));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn out_of_patience(launch: &Launch, child: Option<Child>, log_start: u64) -> LocalError {
    if child.is_none() && Postmaster::of(&launch.cluster.dir).is_none() {
        return LocalError::ServedElsewhere(launch.cluster.dir.clone());
    }
    reap(child);
    LocalError::NotReady { log: launch.log.to_owned(), last_words: log::since(launch.log, log_start) }
}

/// Reaps the server's process when it ends, because no other process does.
fn reap(child: Option<Child>) {
    if let Some(mut child) = child {
        // If the thread cannot start, the process is reaped when Latchkey ends.
        let _ = thread::Builder::new().spawn(move || child.wait());
    }
}
