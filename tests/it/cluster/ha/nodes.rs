//! Three Postgres nodes under Patroni, an etcd, and HAProxy, which forwards to the leader: unprivileged processes with
//! their own configuration and directory, never the system's services.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use reqwest::Client;
use serde_json::Value;

use crate::support::process::{DataDir, eventually, free_port};

const NODES: usize = 3;

/// Patroni's three times, in seconds: `loop_wait + 2 * retry_timeout <= ttl`. A leader that is silent for `ttl` is
/// replaced. (Patroni 3.2 and newer require at least 20.)
pub const TTL: u64 = 10;

pub struct Nodes {
    /// HAProxy's port for the leader.
    pub leader_port: u16,
    etcd_port: u16,
    nodes: Vec<Node>,
    etcd: Option<Child>,
    haproxy: Option<Child>,
    client: Client,
    dir: DataDir,
}

struct Node {
    name: String,
    postgres: u16,
    rest: u16,
    patroni: Option<Child>,
}

impl Nodes {
    pub async fn start() -> Self {
        let dir = DataDir::new();
        own(dir.path());
        let node = |at: usize| Node {
            name: format!("n{at}"),
            postgres: free_port(),
            rest: free_port(),
            patroni: None,
        };
        let mut nodes = Self {
            leader_port: free_port(),
            etcd_port: free_port(),
            nodes: (1..=NODES).map(node).collect(),
            etcd: None,
            haproxy: None,
            client: Client::builder().no_proxy().timeout(Duration::from_secs(1)).build().expect("a client"),
            dir,
        };
        nodes.start_etcd().await;
        for at in 0..NODES {
            nodes.start_patroni(at);
            // The first node becomes the leader, and the others copy it.
            eventually("a leader", async || nodes.leader().await.map(drop)).await;
        }
        nodes.whole().await;
        nodes.start_haproxy();
        nodes
    }

    /// All nodes, so that libpq finds the leader.
    pub fn every_address(&self) -> String {
        let ports: Vec<String> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.postgres)).collect();
        format!(
            "postgresql://postgres:only-here@{}/postgres?target_session_attrs=read-write",
            ports.join(",")
        )
    }

    /// The current leader, through HAProxy.
    pub fn leading_address(&self) -> String {
        format!("postgresql://postgres:only-here@127.0.0.1:{}/postgres", self.leader_port)
    }

    /// The node that leads according to Patroni; `None` while there is no leader.
    pub async fn leader(&self) -> Option<usize> {
        for (at, node) in self.nodes.iter().enumerate() {
            let asked = self.client.get(format!("http://127.0.0.1:{}/primary", node.rest)).send().await;
            if asked.is_ok_and(|answer| answer.status() == 200) {
                return Some(at);
            }
        }
        None
    }

    /// Waits until there is a leader and a synchronous standby, and every node follows.
    pub async fn whole(&self) {
        eventually("three nodes that follow each other", async || {
            actix_web::rt::time::sleep(Duration::from_millis(100)).await;
            let at = self.leader().await?;
            let url = format!("http://127.0.0.1:{}/cluster", self.nodes[at].rest);
            let text = self.client.get(url).send().await.ok()?.text().await.ok()?;
            let said: Value = serde_json::from_str(&text).ok()?;
            let members = said["members"].as_array()?;
            let count = |role: &str| members.iter().filter(|member| member["role"] == role).count();
            let well = members.iter().all(|member| {
                ["running", "streaming"].contains(&member["state"].as_str().unwrap_or_default())
            });
            (well && members.len() == NODES && count("leader") == 1 && count("sync_standby") == 1)
                .then_some(())
        })
        .await;
    }

    /// Kills the node's Patroni and every process of its Postgres with SIGKILL.
    pub fn kill(&mut self, at: usize) {
        self.kill_patroni(at);
        self.kill_postgres(at);
    }

    pub fn kill_patroni(&mut self, at: usize) {
        if let Some(mut patroni) = self.nodes[at].patroni.take() {
            let _ = patroni.kill();
            let _ = patroni.wait();
        }
    }

    fn kill_postgres(&self, at: usize) {
        let file = self.data(at).join("postmaster.pid");
        let Ok(text) = fs::read_to_string(file) else { return };
        let Some(Ok(postmaster)) = text.lines().next().map(str::parse::<i32>) else { return };
        // Kill the postmaster first, because it would restart the others.
        let all = std::iter::once(postmaster).chain(children_of(postmaster)).collect::<Vec<_>>();
        for pid in all {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    pub fn start_patroni(&mut self, at: usize) {
        let node = &self.nodes[at];
        let file = self.dir.path().join(format!("{}.yml", node.name));
        fs::write(&file, self.patroni(at)).expect("a configuration");
        let child = self.spawn("patroni", &[file.as_os_str().to_str().expect("a path")], &node.name);
        self.nodes[at].patroni = Some(child);
    }

    async fn start_etcd(&mut self) {
        let (client, peer) =
            (format!("http://127.0.0.1:{}", self.etcd_port), format!("http://127.0.0.1:{}", free_port()));
        let data = self.dir.path().join("etcd");
        let initial = format!("latchkey={peer}");
        let arguments = [
            "--name",
            "latchkey",
            "--data-dir",
            data.to_str().expect("a path"),
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
            "--initial-cluster",
            &initial,
        ];
        self.etcd = Some(self.spawn("etcd", &arguments, "etcd"));
        eventually("etcd", async || {
            let asked = self.client.get(format!("{client}/health")).send().await.ok()?;
            (asked.status() == 200).then_some(())
        })
        .await;
    }

    fn start_haproxy(&mut self) {
        let file = self.dir.path().join("haproxy.cfg");
        fs::write(&file, self.haproxy()).expect("a configuration");
        let child = self.spawn("haproxy", &["-db", "-f", file.to_str().expect("a path")], "haproxy");
        self.haproxy = Some(child);
    }

    /// The log is a file next to the configuration.
    fn spawn(&self, program: &str, arguments: &[&str], name: &str) -> Child {
        let path = ["/usr/sbin", "/usr/bin"].iter().map(|place| Path::new(place).join(program));
        let path = path.into_iter().find(|path| path.exists());
        let path = path.unwrap_or_else(|| panic!("{program} is missing: bin/cluster --ha installs it"));
        let log =
            fs::File::options().create(true).append(true).open(self.dir.path().join(format!("{name}.log")));
        let log = log.expect("a log");
        let mut command = Command::new(path);
        command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("HOME", self.dir.path()).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        if let Some(user) = unprivileged_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    fn data(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("{}.data", self.nodes[at].name))
    }

    /// Strictly synchronous: a commit is answered when a standby has it on disk, and not at all while there is no such
    /// standby.
    fn patroni(&self, at: usize) -> String {
        let Node { name, postgres, rest, .. } = &self.nodes[at];
        let (etcd, data, dir) = (self.etcd_port, self.data(at), self.dir.path().display());
        let (data, bin) = (data.display(), postgres_programs());
        let bin = bin.display();
        format!(
            "scope: latchkey
name: {name}
restapi: {{listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}'}}
etcd3: {{host: '127.0.0.1:{etcd}'}}
bootstrap:
  dcs:
    ttl: {TTL}
    loop_wait: 1
    retry_timeout: 3
    primary_start_timeout: 0
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {{max_connections: 100, shared_buffers: 32MB, wal_keep_size: 128MB, wal_log_hints: 'on'}}
  initdb: [data-checksums, {{encoding: UTF8}}, {{locale: C}}]
postgresql:
  listen: 127.0.0.1:{postgres}
  connect_address: 127.0.0.1:{postgres}
  data_dir: {data}
  bin_dir: {bin}
  pgpass: {dir}/{name}.pgpass
  authentication:
    superuser: {{username: postgres, password: only-here}}
    replication: {{username: replicator, password: only-here}}
  pg_hba: ['host all all 127.0.0.1/32 md5', 'host replication replicator 127.0.0.1/32 md5']
  parameters: {{unix_socket_directories: '', wal_sender_timeout: 3s, wal_receiver_timeout: 3s, wal_retrieve_retry_interval: 200ms}}
"
        )
    }

    /// HAProxy closes every connection to a node within a second after it stopped leading or reporting.
    fn haproxy(&self) -> String {
        let servers: Vec<String> = self
            .nodes
            .iter()
            .map(|node| {
                format!("    server {} 127.0.0.1:{} check port {}\n", node.name, node.postgres, node.rest)
            })
            .collect();
        format!(
            "defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout check 1s
listen leader
    bind 127.0.0.1:{}
    option httpchk GET /primary
    http-check expect status 200
    default-server inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions
{}",
            self.leader_port,
            servers.concat()
        )
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for at in 0..NODES {
            self.kill(at);
        }
        for child in [&mut self.haproxy, &mut self.etcd].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Postgres refuses to run as root.
fn unprivileged_user() -> Option<User> {
    let names = ["postgres", "nobody"];
    geteuid().is_root().then(|| names.iter().find_map(|name| User::from_name(name).ok().flatten()))?
}

fn own(dir: &Path) {
    if let Some(user) = unprivileged_user() {
        chown(dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("a directory of theirs");
    }
}

/// The newest version that Debian has installed.
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Debian's Postgres");
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.pop().expect("a version of Postgres")
}

fn children_of(parent: i32) -> Vec<i32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
