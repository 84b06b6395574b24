//! The real program as a process: configuration, start, requests, signals and log.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub use test_db::{DataDir, eventually};

use super::browser::Browser;

/// A free port, below the kernel's ephemeral range.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Concurrent test processes begin at different ports.
    let begin = u16::try_from(std::process::id() % 200).unwrap() * 60;
    loop {
        let port = 18_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// How to start the program. Its environment contains only these variables.
#[derive(Clone)]
pub struct Latchkey {
    pub port: u16,
    program: PathBuf,
    environment: Vec<(String, String)>,
}

impl Latchkey {
    /// Without any setting.
    pub fn bare() -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        Self { port: 0, program: env!("CARGO_BIN_EXE_latchkey").into(), environment: Vec::new() }
            .with("PATH", path)
            .with("HOME", "/nonexistent")
    }

    /// In local mode.
    pub fn local(dir: &DataDir) -> Self {
        Self::somewhere().with("LATCHKEY__DATA_DIR", dir.path().display())
    }

    /// Deployed, on the database at `url`.
    pub fn on(url: &str) -> Self {
        let latchkey = Self::somewhere();
        let origin = latchkey.origin();
        latchkey
            .with("DATABASE_URL", url)
            .with("LATCHKEY__SECRET", "only-for-tests-0123456789-abcdefghijkl")
            .with("LATCHKEY__SERVER__PUBLIC_URL", origin)
            .with("LATCHKEY__SERVER__BIND", "127.0.0.1")
            .with("LATCHKEY__DATABASE__POOL_SIZE", "4")
    }

    fn somewhere() -> Self {
        let port = free_port();
        Self { port, ..Self::bare() }
            .with("PORT", port)
            .with("LATCHKEY__HASHING__MEMORY_KIB", "64")
            .with("LATCHKEY__HASHING__ITERATIONS", "1")
    }

    /// The same configuration on another free port.
    pub fn on_another_port(&self) -> Self {
        let port = free_port();
        let public = self.environment.iter().any(|(name, _)| name == "LATCHKEY__SERVER__PUBLIC_URL");
        let other = Self { port, ..self.clone() }.with("PORT", port);
        let origin = other.origin();
        if public { other.with("LATCHKEY__SERVER__PUBLIC_URL", origin) } else { other }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with another program file.
    pub fn of_version(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// `other`, with the program file of this one.
    pub fn version_of(&self, other: Self) -> Self {
        Self { program: self.program.clone(), ..other }
    }

    /// The same on this port, with the same public URL.
    pub fn at(self, port: u16) -> Self {
        Self { port, ..self }.with("PORT", port)
    }

    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts to serve, and returns when the port is open.
    pub async fn serve(&self) -> Running {
        let mut running = self.start();
        eventually("an open port", async || {
            running.still_runs();
            running.listens().then_some(())
        })
        .await;
        running
    }

    /// Starts to serve, and returns when it is ready.
    pub async fn serve_ready(&self) -> Running {
        let mut running = self.serve().await;
        eventually("readiness", async || {
            running.still_runs();
            running.is_ready().await.then_some(())
        })
        .await;
        running
    }

    fn start(&self) -> Running {
        let mut child =
            self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&lines)),
            collect(child.stderr.take().unwrap(), Arc::clone(&lines)),
        ];
        Running { child, origin: self.origin(), port: self.port, lines, readers }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Not in this directory, which may contain a latchkey.toml.
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null());
        command
    }
}

/// How a command ended.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Asserts success; returns the lines of its output.
    #[track_caller]
    pub fn well(&self) -> Vec<&str> {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out.lines().collect()
    }

    /// Asserts exit code 1 and one line of output; returns that line.
    #[track_caller]
    pub fn refused(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{}", self.err);
        let mut lines = self.err.lines();
        let line = lines.next().unwrap_or_default();
        assert_eq!(lines.next(), None, "{}", self.err);
        line.strip_prefix("latchkey: ").unwrap_or_else(|| panic!("{line}"))
    }
}

/// A process that serves; killed with this value if it still runs.
pub struct Running {
    pub origin: String,
    port: u16,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub fn browser(&self) -> Browser {
        let mut browser = Browser::new(&self.origin);
        // Otherwise a process that was told to stop waits for idle connections.
        browser.headers.push(("connection", "close".into()));
        browser
    }

    pub async fn ready(&self) {
        eventually("readiness", async || self.is_ready().await.then_some(())).await;
    }

    /// A missing answer counts as `false`.
    async fn is_ready(&self) -> bool {
        let asked = reqwest::get(format!("{}/readyz", self.origin)).await;
        asked.is_ok_and(|answer| answer.status() == 200)
    }

    fn still_runs(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("{status}: {:#?}", self.log());
        }
    }

    pub fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    /// Its output so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a log line with this text.
    pub async fn logged(&self, words: &str) -> Value {
        eventually(words, async || {
            let line = self.log().into_iter().find(|line| line.contains(words))?;
            Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
        })
        .await
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits until it ends; returns how it ended and its output.
    pub async fn ended(&mut self) -> (ExitStatus, Vec<String>) {
        let status = eventually("its end", async || self.child.try_wait().unwrap()).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.log())
    }

    /// Sends the signal, and asserts a clean end.
    pub async fn stop(&mut self, signal: Signal) -> Vec<String> {
        self.signal(signal);
        let (status, lines) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{lines:#?}");
        assert!(!self.listens());
        lines
    }

    /// Kills it, as in a crash.
    pub async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    })
}
