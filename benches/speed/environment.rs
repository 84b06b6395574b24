//! The environment of a measurement: a private Postgres with durable settings, users in it, and the real program.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use latchkey::config::{self, Span};
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::{Db, migrations};
use latchkey::passwords::{HashCost, Hasher, Password};
use latchkey::secret;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

pub const PRODUCTION: HashCost = HashCost { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 };
/// The secret of every measured program.
pub const SECRET: &str = "only-for-measuring-0123456789-abcdefgh";
pub const PASSWORD: &str = "poetical-science-1843";

/// The browser of every client.
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";

/// A Postgres cluster of its own, removed with this value.
pub struct Environment {
    dir: PathBuf,
    server: Option<LocalServer>,
    pub url: String,
}

impl Environment {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A database server for many users: a quarter of the memory, as PostgreSQL's manual advises (19.4.1).
    pub fn with_large_memory() -> Self {
        let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = info
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        let megabytes: u64 = total.map_or(1024, |kilobytes: u64| kilobytes / 1024 / 4);
        let buffers = format!("{megabytes}MB");
        // No background work during a measurement.
        let quiet = [("max_wal_size", "16GB"), ("checkpoint_timeout", "1h"), ("autovacuum", "off")];
        Self::with(&[[("shared_buffers", buffers.as_str())].as_slice(), &quiet].concat())
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let name = secret::encode(&secret::random::<6>().unwrap());
        let dir = std::env::temp_dir().join(format!("latchkey-bench-{name}"));
        fs::DirBuilder::new().mode(0o711).create(&dir).unwrap();
        let server =
            LocalServer::start(&LocalPostgresOptions { settings, ..LocalPostgresOptions::new(&dir) })
                .unwrap_or_else(|error| panic!("{error}"));
        let url = database(&server, "bench");
        migrations::run(&url).unwrap();
        Self { dir, server: Some(server), url }
    }

    /// Creates another database with our tables in the same cluster.
    pub fn migrated(&self, name: &str) -> String {
        let url = self.database(name);
        migrations::run(&url).unwrap();
        url
    }

    /// Creates another database in the same cluster.
    pub fn database(&self, name: &str) -> String {
        database(self.server.as_ref().expect("a server"), name)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn db(&self, pool_size: u32) -> Db {
        self.db_at(&self.url, pool_size)
    }

    pub fn db_at(&self, url: &str, pool_size: u32) -> Db {
        Db::new(
            url,
            config::Database {
                pooler: config::Pooler::None,
                pool_size,
                checkout_wait: Span::seconds(10),
                statement_timeout: Span::seconds(10),
                lock_timeout: Span::seconds(10),
            },
        )
    }

    pub fn execute(&self, statements: &str) {
        execute(&self.url, statements);
    }

    /// Creates a user with [`PASSWORD`].
    pub async fn create_user(&self, email: &str) -> Uuid {
        let hasher = Hasher::new(PRODUCTION, 1, 1).unwrap();
        let hash = hasher.hash(Password::given(PASSWORD).unwrap()).await.unwrap();
        let id = Uuid::new_v4();
        self.execute(&format!(
            "INSERT INTO users (id, email, email_key, name, password_hash) VALUES ('{id}', '{email}', '{email}', 'Ada Lovelace', '{}')",
            hash.as_str()
        ));
        id
    }

    /// Inserts other users with a session each, so that tables and indexes have a realistic size.
    pub fn insert_other_sessions(&self, users: usize) {
        self.execute(&format!(
            "INSERT INTO users (email, email_key, name) SELECT n || '@example.org', n || '@example.org', 'Person ' || n
               FROM generate_series(1, {users}) n;
             INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at)
               SELECT sha256(id::text::bytea), id, 'password', '192.0.2.7', 'Mozilla/5.0', now() + interval '1 day' FROM users;
             ANALYZE"
        ));
    }

    /// Pins the database to one core, if the machine has taskset.
    pub fn pin_database(&self, core: &str) {
        let pid = fs::read_to_string(self.dir.join("postgres/postmaster.pid")).unwrap_or_default();
        let pid = pid.lines().next().unwrap_or_default().to_owned();
        let _ = Command::new("taskset").args(["-acp", core, &pid]).stdout(Stdio::null()).status();
    }

    /// Starts the program, pinned to `core` if that is possible.
    pub fn serve(&self, core: Option<&str>) -> RunningServer {
        self.serve_with(core, &[])
    }

    /// The same, with additional settings.
    pub fn serve_with(&self, core: Option<&str>, settings: &[(&str, &str)]) -> RunningServer {
        let port = free_port();
        let origin = format!("http://localhost:{port}");
        let mut command = on_core(core, env!("CARGO_BIN_EXE_latchkey"));
        configure(&mut command, self, &origin);
        let command = command.arg("serve").env("PORT", port.to_string()).envs(settings.iter().copied());
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let served = RunningServer { child, origin };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        served
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn configure(command: &mut Command, environment: &Environment, origin: &str) {
    command
        .current_dir(&environment.dir)
        .env("DATABASE_URL", &environment.url)
        .env("LATCHKEY__SECRET", SECRET)
        .env("LATCHKEY__SERVER__PUBLIC_URL", origin)
        .env("LATCHKEY__SERVER__BIND", "127.0.0.1");
}

/// The running program, killed with this value.
pub struct RunningServer {
    child: Child,
    pub origin: String,
}

impl RunningServer {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> u16 {
        self.origin.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// The CPU seconds of the program so far.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.pid())
    }

    /// Runs another command of the program with the settings of this one; returns what it prints.
    pub fn run(&self, environment: &Environment, arguments: &[&OsStr]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        configure(&mut command, environment, &self.origin);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub async fn wait_until_ready(&self, client: &reqwest::Client) {
        while !client.get(format!("{}/readyz", self.origin)).send().await.unwrap().status().is_success() {
            actix_web::rt::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the program is ready, logs in with the form, and returns the cookie.
    pub async fn log_in(&self, client: &reqwest::Client, email: &str) -> String {
        self.wait_until_ready(client).await;
        let form = Form::open(client, &self.origin).await;
        let answer = form.send(client, email).await;
        cookie(&answer, "latchkey").expect("a key")
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A form that was opened once and can be sent many times.
pub struct Form {
    action: String,
    nonce: String,
    token: String,
}

impl Form {
    pub async fn open(client: &reqwest::Client, origin: &str) -> Self {
        Self::open_at(client, origin, "/login").await
    }

    /// Opens another form that needs no session.
    pub async fn open_at(client: &reqwest::Client, origin: &str, path: &str) -> Self {
        let action = format!("{origin}{path}");
        let page = client.get(&action).send().await.unwrap();
        let nonce = cookie(&page, "latchkey-form").expect("a nonce");
        let body = page.text().await.unwrap();
        let (_, rest) = body.split_once("name=\"csrf_token\" value=\"").expect("a token");
        Self { action, nonce, token: rest.split('"').next().unwrap_or_default().to_owned() }
    }

    pub async fn send(&self, client: &reqwest::Client, email: &str) -> reqwest::Response {
        let answer = self.submit(client, &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status().as_u16(), 303);
        answer
    }

    pub async fn submit(&self, client: &reqwest::Client, fields: &[(&str, &str)]) -> reqwest::Response {
        let fields = [fields, &[("csrf_token", self.token.as_str())]].concat();
        client.post(&self.action).header("cookie", &self.nonce).form(&fields).send().await.unwrap()
    }
}

pub fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().user_agent(FIREFOX);
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Another program, stopped with this value.
pub struct Program(Child);

impl Program {
    pub fn start(mut command: Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Program {
    /// The CPU seconds of the program and its children so far.
    pub fn cpu(&self) -> f64 {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok()).map(cpu_of);
        cpu_of(id) + children.sum::<f64>()
    }
}

/// The CPU seconds of a process so far (proc(5): fields 14 and 15 of `stat`, in hundredths).
fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The resident memory of a process in bytes.
pub fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("a number")
        * 1024.0
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGTERM, because it may have processes of its own to stop.
        let _ = i32::try_from(self.0.id()).map(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM));
        let _ = self.0.wait();
    }
}

/// Pins this process with its threads to these cores.
pub fn pin_self(cores: &str) {
    let pid = std::process::id().to_string();
    let _ = Command::new("taskset").args(["-acp", cores, &pid]).stdout(Stdio::null()).status();
}

/// Pins a program to `core`, if the machine has taskset.
pub fn on_core(core: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    match core.filter(|_| can_pin()) {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn can_pin() -> bool {
    Command::new("taskset").args(["-c", "1", "true"]).status().is_ok_and(|status| status.success())
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn database(server: &LocalServer, name: &str) -> String {
    execute(&server.maintenance_url(), &format!("CREATE DATABASE {name}"));
    server.url(name)
}

pub fn execute(url: &str, statements: &str) {
    migrations::connect(url).unwrap().batch_execute(statements).unwrap();
}

/// The cookies that an answer sets, as a browser sends them.
pub fn cookies(answer: &reqwest::Response) -> String {
    let values = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs = values.map(|value| value.split(';').next().unwrap_or_default());
    pairs.collect::<Vec<_>>().join("; ")
}

fn cookie(answer: &reqwest::Response, name: &str) -> Option<String> {
    let pairs = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    pairs
        .filter_map(|text| text.split(';').next())
        .find(|pair| pair.starts_with(&format!("{name}=")))
        .map(str::to_owned)
}
