//! One more of this very program, serving on a port of its own; ended with the value.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;

use super::place::Place;
use super::wire::Wire;
use crate::cli::Failure;

/// A start takes well under a second; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Instance {
    pub port: u16,
    child: Child,
    log: PathBuf,
}

impl Instance {
    /// With the settings in force, but for what must be its own.
    pub fn start(place: &Place, number: u16) -> Result<Self, Failure> {
        // Whoever takes the port in between makes the start fail, and nothing worse.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = place.dir.0.join(format!("instance-{number}.log"));
        let stderr = File::create(&log)?;
        let port_text = port.to_string();
        let own = [
            ("PORT", port_text.as_str()),
            ("DATABASE_URL", &place.url),
            ("LATCHKEY__DATABASE__DIRECT_URL", &place.url),
            // Several of us share what the server has left.
            ("LATCHKEY__DATABASE__POOL_SIZE", "3"),
            ("LATCHKEY__SECRET", &place.secret),
            ("LATCHKEY__SECRET_PREVIOUS", ""),
            ("LATCHKEY__SERVER__BIND", "127.0.0.1"),
            ("LATCHKEY__SERVER__PUBLIC_URL", "http://localhost"),
            ("LATCHKEY__MAIL__TRANSPORT", "none"),
            // The sessions are opened when they are needed, and ended at once.
            ("LATCHKEY__SESSIONS__CONFIRM_WINDOW", "10m"),
        ];
        let mut command = Command::new(env::current_exe()?);
        command.arg("serve").envs(own).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        Ok(Self { port, child: command.spawn()?, log })
    }

    /// Waits until it can serve people.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut wire = Wire::new(self.port);
        while !wire.get("/readyz", "").await.is_ok_and(|answer| answer.status == 200) {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it said nothing");
                return Err(format!("an instance does not start: {last}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Instance {
    /// There is nothing to leave in good order: its database goes next.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
