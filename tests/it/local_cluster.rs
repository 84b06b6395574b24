//! The private server of local mode: crashes, and several programs on one server. Each test has its own data directory,
//! so that no test affects another's server.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStderr, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use latchkey::db::local::{LocalError, LocalPostgresOptions, LocalServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

#[test]
fn the_first_start_creates_a_cluster_that_keeps_what_it_acknowledges() {
    let dir = DataDir::new();
    let server = LocalServer::start(&LocalPostgresOptions::new(dir.path())).unwrap();
    assert_eq!(show(&server, "server_encoding"), "UTF8");
    assert_eq!(show(&server, "data_checksums"), "on");
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(show(&server, setting), "on", "{setting}");
    }
}

#[test]
fn the_server_is_reached_through_a_private_socket_and_nothing_else() {
    let dir = DataDir::new();
    let server = dir.start();
    assert_eq!(show(&server, "listen_addresses"), "");
    let socket_dir = fs::metadata(show(&server, "unix_socket_directories")).unwrap();
    assert_eq!(socket_dir.mode() & 0o777, 0o700);
}

#[test]
fn the_server_shares_neither_user_nor_groups_with_root_nor_the_terminal_with_latchkey() {
    let dir = DataDir::new();
    let _server = dir.start();
    let pid = dir.server_pid();
    if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        assert!(!field("Uid:").unwrap().split_whitespace().any(|uid| uid == "0"));
        assert!(!field("Gid:").unwrap().split_whitespace().any(|gid| gid == "0"));
        if geteuid().is_root() {
            assert_eq!(field("Groups:").unwrap().trim(), "");
        }
    }
    assert_eq!(nix::unistd::getpgid(Some(pid)), Ok(pid));
}

#[test]
fn a_second_latchkey_uses_the_running_server_and_leaves_it_to_the_first() {
    let dir = DataDir::new();
    let first = dir.start();
    let pid = dir.server_pid();
    let second = dir.start();
    assert_eq!(dir.server_pid(), pid);
    second.stop().unwrap();
    execute(&first, "SELECT 1");
}

#[test]
fn the_last_one_out_stops_the_server_even_if_another_started_it() {
    let dir = DataDir::new();
    let first = dir.start();
    let second = dir.start();
    drop(first);
    execute(&second, "SELECT 1");
    second.stop().unwrap();
    assert!(!dir.is_served());
}

#[test]
fn two_latchkeys_that_start_at_once_share_one_server() {
    let dir = DataDir::new();
    let together = Barrier::new(2);
    let start = || {
        together.wait();
        dir.start()
    };
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(start);
        (start(), other.join().unwrap())
    });
    execute(&one, "CREATE TABLE seen (word text)");
    execute(&other, "INSERT INTO seen VALUES ('same server')");
    assert_eq!(text(&one, "SELECT word AS answer FROM seen"), "same server");
}

#[test]
fn a_killed_latchkey_leaves_a_server_that_the_next_one_uses_and_stops() {
    let dir = DataDir::new();
    let mut killed = AnotherLatchkey::start(&dir);
    let pid = dir.server_pid();
    killed.kill();
    let next = dir.start();
    assert_eq!(dir.server_pid(), pid);
    next.stop().unwrap();
    assert!(!dir.is_served());
}

#[test]
fn the_server_stays_while_a_latchkey_in_another_process_uses_it() {
    let dir = DataDir::new();
    let mut other = AnotherLatchkey::start(&dir);
    dir.start().stop().unwrap();
    assert!(dir.is_served());
    other.kill();
    dir.start().stop().unwrap();
    assert!(!dir.is_served());
}

#[test]
fn committed_data_survives_the_kill_of_the_server() {
    let dir = DataDir::new();
    let server = dir.start();
    execute(&server, "CREATE TABLE seen (word text)");
    execute(&server, "INSERT INTO seen VALUES ('committed')");
    kill(dir.server_pid(), Signal::SIGKILL).unwrap();
    let again = dir.start();
    assert_eq!(text(&again, "SELECT word AS answer FROM seen"), "committed");
}

#[test]
fn a_stale_pid_file_that_names_another_process_blocks_no_start_and_that_process_survives() {
    let dir = DataDir::new();
    let server = dir.start();
    let socket_lock = PathBuf::from(show(&server, "unix_socket_directories"));
    let lock_files = [dir.cluster().join("postmaster.pid"), socket_lock.join(".s.PGSQL.5432.lock")];
    let contents = lock_files.each_ref().map(|file| fs::read_to_string(file).unwrap());
    let former_pid = dir.server_pid().to_string();
    server.stop().unwrap();

    let owner = fs::metadata(dir.cluster()).unwrap();
    let mut stranger = Stranger::start(owner.uid(), owner.gid());
    for (file, content) in lock_files.iter().zip(contents) {
        let stale = content.replacen(&former_pid, &stranger.0.id().to_string(), 1);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, stale).unwrap();
        std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    dir.start().stop().unwrap();
    assert!(stranger.0.try_wait().unwrap().is_none());
}

#[test]
fn the_remains_of_an_interrupted_initdb_are_removed() {
    let dir = DataDir::new();
    let leftover = dir.path().join("postgres.new-1-1");
    fs::create_dir_all(leftover.join("base")).unwrap();
    fs::write(leftover.join("PG_VERSION"), "15\n").unwrap();
    let server = dir.start();
    execute(&server, "SELECT 1");
    assert!(!leftover.exists());
}

#[test]
fn a_data_directory_too_long_for_a_socket_gets_one_elsewhere() {
    let dir = DataDir::below(&["with spaces, commas and \"quotes\"", &"long".repeat(40)]);
    let server = dir.start();
    let socket_dir = PathBuf::from(show(&server, "unix_socket_directories"));
    let found = fs::symlink_metadata(&socket_dir).unwrap();
    assert!(found.is_dir());
    assert_eq!(found.mode() & 0o777, 0o700);
    assert_eq!(found.uid(), fs::metadata(dir.cluster()).unwrap().uid());
    server.stop().unwrap();
    assert!(!socket_dir.exists());
}

#[test]
fn a_socket_directory_that_others_can_enter_is_refused() {
    let dir = DataDir::below(&[&"long".repeat(40)]);
    let server = dir.start();
    let socket_dir = PathBuf::from(show(&server, "unix_socket_directories"));
    server.stop().unwrap();
    fs::create_dir(&socket_dir).unwrap();
    fs::set_permissions(&socket_dir, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = LocalServer::start(&dir.options()).err();
    fs::remove_dir(&socket_dir).unwrap();
    assert!(matches!(refused, Some(LocalError::NoSocketDir(_))));
}

#[test]
fn as_root_a_data_directory_the_server_cannot_reach_holds_a_link_to_the_cluster() {
    if !geteuid().is_root() {
        return;
    }
    let dir = DataDir::below(&["locked", "data"]);
    let locked = dir.path().parent().unwrap();
    fs::create_dir_all(locked).unwrap();
    fs::set_permissions(locked, fs::Permissions::from_mode(0o700)).unwrap();
    let server = dir.start();
    execute(&server, "CREATE TABLE seen (word text)");
    assert!(dir.cluster().starts_with("/var/lib/latchkey"));
    server.stop().unwrap();

    // Deleting the data directory starts afresh, but destroys nothing outside of it.
    let old = dir.cluster();
    fs::remove_dir_all(dir.path()).unwrap();
    let afresh = dir.start();
    assert_eq!(dir.cluster(), old);
    execute(&afresh, "CREATE TABLE seen (word text)");
}

#[test]
fn a_link_to_a_cluster_that_is_gone_never_becomes_an_empty_database() {
    let dir = DataDir::new();
    fs::create_dir_all(dir.path()).unwrap();
    std::os::unix::fs::symlink("/nowhere", dir.path().join("postgres")).unwrap();
    let refused = LocalServer::start(&dir.options()).err().unwrap();
    assert!(refused.to_string().contains("/nowhere is gone"));
}

#[test]
fn without_postgresql_the_error_says_what_to_install() {
    let dir = DataDir::new();
    let options = LocalPostgresOptions { bin_dirs: Some(&[]), ..dir.options() };
    let message = LocalServer::start(&options).err().unwrap().to_string();
    assert!(message.starts_with("PostgreSQL 14 or newer is not installed"));
    assert!(message.contains("apt-get install postgresql"));
    assert!(!message.contains('\n'));
}

#[test]
fn a_cluster_of_a_version_that_is_not_installed_says_which_one_it_needs() {
    let dir = DataDir::new();
    dir.start().stop().unwrap();
    fs::write(dir.cluster().join("PG_VERSION"), "99\n").unwrap();
    let message = LocalServer::start(&dir.options()).err().unwrap().to_string();
    assert!(message.contains("install PostgreSQL 99"));
}

#[test]
fn a_server_that_cannot_start_says_why_at_once() {
    let dir = DataDir::new();
    let options = LocalPostgresOptions {
        settings: &[("fsync", "off"), ("shared_buffers", "nonsense")],
        ..dir.options()
    };
    let message = LocalServer::start(&options).err().unwrap().to_string();
    assert!(message.contains("shared_buffers"), "{message}");
}

/// A data directory of a test's own, removed with everything that belongs to it.
struct DataDir {
    root: PathBuf,
    path: PathBuf,
}

impl DataDir {
    fn new() -> Self {
        Self::below(&[])
    }

    fn below(parts: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not `TMPDIR`, which the server's user may not be able to reach.
        let root = Path::new("/tmp").join(format!("latchkey-it-{}-{count}", process::id()));
        let path = parts.iter().fold(root.join("data"), |path, part| path.join(part));
        DataDir { root, path }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Without durability, because these tests crash processes and never the machine.
    fn options(&self) -> LocalPostgresOptions<'_> {
        LocalPostgresOptions { settings: &[("fsync", "off")], ..LocalPostgresOptions::new(&self.path) }
    }

    fn start(&self) -> LocalServer {
        LocalServer::start(&self.options()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn cluster(&self) -> PathBuf {
        self.path.join("postgres").canonicalize().unwrap()
    }

    /// A server that stops cleanly removes its pid file.
    fn is_served(&self) -> bool {
        self.cluster().join("postmaster.pid").exists()
    }

    fn server_pid(&self) -> Pid {
        let content = fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        Pid::from_raw(content.lines().next().unwrap().parse().unwrap())
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Ok(cluster) = self.path.join("postgres").canonicalize() {
            let name = cluster.file_name().unwrap().to_str().unwrap().to_owned();
            let _ = fs::remove_dir_all(&cluster);
            // The clusters that were moved aside; their names have this prefix.
            for entry in fs::read_dir(cluster.parent().unwrap()).unwrap().flatten() {
                if entry.file_name().to_str().is_some_and(|other| other.starts_with(&name)) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The program itself, using the server until it is killed.
struct AnotherLatchkey {
    child: Child,
    _log: BufReader<ChildStderr>,
}

impl AnotherLatchkey {
    fn start(dir: &DataDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
            .arg("serve")
            .env("LATCHKEY__DATA_DIR", dir.path())
            .env("PORT", "0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        assert!(log.by_ref().lines().map_while(Result::ok).any(|line| line.contains("\"ready\"")));
        AnotherLatchkey { child, _log: log }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for AnotherLatchkey {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process unrelated to PostgreSQL that runs as PostgreSQL's user.
struct Stranger(Child);

impl Stranger {
    fn start(uid: u32, gid: u32) -> Self {
        let mut sleep = Command::new("sleep");
        sleep.arg("300");
        if geteuid().is_root() {
            sleep.gid(gid).uid(uid);
        }
        Stranger(sleep.spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

fn connect(server: &LocalServer) -> PgConnection {
    PgConnection::establish(&server.maintenance_url()).unwrap()
}

fn execute(server: &LocalServer, statement: &str) {
    connect(server).batch_execute(statement).unwrap();
}

fn text(server: &LocalServer, query: &str) -> String {
    let answer: Answer = sql_query(query).get_result(&mut connect(server)).unwrap();
    answer.answer
}

fn show(server: &LocalServer, setting: &str) -> String {
    text(server, &format!("SELECT current_setting('{setting}') AS answer"))
}
