//! A program behind the front door, as a process; stopped with its value.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::files::root;
use crate::support::process::{DataDir, eventually, free_port};

/// Programs end their own children when they are told to end.
const TIME_TO_END: Duration = Duration::from_secs(5);

pub struct Program {
    pub port: u16,
    pub dir: DataDir,
    child: Child,
}

impl Program {
    /// Starts the command for a free port and an empty directory, and returns when the port is open.
    pub async fn start(command: impl FnOnce(u16, &DataDir) -> Command) -> Self {
        let port = free_port();
        Self::at(port, |dir| command(port, dir)).await
    }

    /// The same for a certain port.
    pub async fn at(port: u16, command: impl FnOnce(&DataDir) -> Command) -> Self {
        let dir = DataDir::new();
        let log = File::create(dir.path().join("log")).expect("a file");
        let mut command = command(&dir);
        command.env("HOME", dir.path()).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
        command.stdout(log.try_clone().expect("the file")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut program = Self { port, dir, child };
        eventually("an open port", async || {
            if let Ok(Some(status)) = program.child.try_wait() {
                panic!("{command:?}: {status}\n{}", program.log());
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
        })
        .await;
        program
    }

    /// What one of our counting servers has counted, asked without the front door.
    pub async fn counts(&self) -> Value {
        let answer = reqwest::get(format!("http://127.0.0.1:{}/counts", self.port)).await.expect("an answer");
        serde_json::from_str(&answer.text().await.expect("a text")).expect("counts")
    }

    /// Its output.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let _ = kill(pid, Signal::SIGTERM);
        let since = Instant::now();
        while since.elapsed() < TIME_TO_END {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command of the environment that is made from `tests/webapps/ENVIRONMENT/requirements.txt`.
pub fn from_pypi(environment: &str, program: &str) -> Command {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = target.with_file_name(format!("{environment}-venv")).join("bin").join(program);
    assert!(path.exists(), "{} is missing: bin/front-check installs it", path.display());
    Command::new(path)
}

/// The directory of our own code for it.
pub fn webapp(name: &str) -> PathBuf {
    root().join("tests/webapps").join(name)
}

/// A Python program of `tests/webapps/django`, served by gunicorn.
pub fn gunicorn(port: u16, module: &str) -> Command {
    let mut command = from_pypi("django", "gunicorn");
    command.args(["--no-control-socket", "--threads", "8", "--keep-alive", "1", "--bind"]);
    command.arg(format!("127.0.0.1:{port}")).arg("--chdir").arg(webapp("django"));
    command.arg(format!("{module}:application"));
    command
}

/// The server of `tests/webapps/node`, with its arguments after the port.
pub fn node(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(webapp("node").join("server.mjs")).arg(port.to_string()).args(arguments);
    command
}
