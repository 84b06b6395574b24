//! Another process of this program, which serves on a port of its own and is killed with the value.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use secrecy::ExposeSecret as _;

use super::ProveError;
use super::error::Awaited;
use super::http::HttpConnection;
use super::sandbox::Sandbox;
use super::users::PUBLIC_URL;

/// A start takes well under a second; this allows for a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub struct Instance {
    pub port: u16,
    child: Child,
    log: PathBuf,
}

impl Instance {
    /// Starts an instance with the settings in force, except for those that must be its own.
    pub fn start(sandbox: &Sandbox, number: u16) -> Result<Self, ProveError> {
        // If another process takes the port in between, the instance fails to start.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = sandbox.dir.0.join(format!("instance-{number}.log"));
        let stderr = File::create(&log)?;
        let port_text = port.to_string();
        let own = [
            ("PORT", port_text.as_str()),
            ("DATABASE_URL", sandbox.url.expose_secret()),
            ("LATCHKEY__DATABASE__DIRECT_URL", sandbox.url.expose_secret()),
            // All instances share the connections that the server has left.
            ("LATCHKEY__DATABASE__POOL_SIZE", "3"),
            ("LATCHKEY__SECRET", sandbox.secret.expose_secret()),
            ("LATCHKEY__SECRET_PREVIOUS", ""),
            ("LATCHKEY__SERVER__BIND", "127.0.0.1"),
            ("LATCHKEY__SERVER__PUBLIC_URL", PUBLIC_URL),
            ("LATCHKEY__MAIL__TRANSPORT", "none"),
            // Sessions are revoked within seconds after they are opened.
            ("LATCHKEY__SESSIONS__CONFIRM_WINDOW", "10m"),
        ];
        let mut command = Command::new(env::current_exe()?);
        // The apps of the operator are not part of the test.
        command
            .arg("serve")
            .envs(own)
            .env_remove("LATCHKEY_APPS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        Ok(Self { port, child: command.spawn()?, log })
    }

    /// Waits until the instance is ready to serve.
    pub async fn wait_until_ready(&mut self) -> Result<(), ProveError> {
        let started = Instant::now();
        let mut http = HttpConnection::new(self.port);
        while !http.get("/readyz", "").await.is_ok_and(|answer| answer.status == 200) {
            if self.child.try_wait()?.is_some() {
                return Err(ProveError::InstanceEnded { last_log_line: self.last_log_line() });
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(ProveError::TimedOut(Awaited::Ready));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn last_log_line(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or("its log is empty").to_owned()
    }
}

impl Drop for Instance {
    /// No graceful stop: its database is dropped next.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
