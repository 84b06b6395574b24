//! The transport security of connections to a real Postgres with TLS, as `serve` and the doctor report it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use super::{SECRET, doctor};
use crate::support::certificates::Certificates;
use crate::support::db::{Scalar as _, TestDb};
use crate::support::process::{DataDir, Latchkey, eventually, free_port};

/// A server on 127.0.0.1 with optional TLS.
struct Postgres {
    port: u16,
    certificates: Certificates,
    child: Child,
    _dir: DataDir,
}

impl Postgres {
    async fn start() -> Self {
        let (dir, port, certificates) = (DataDir::new(), free_port(), Certificates::new());
        let own = LocalServer::start(&LocalPostgresOptions {
            settings: &[("fsync", "off")],
            ..LocalPostgresOptions::new(dir.path())
        })
        .unwrap();
        let ask = |query| String::read(&mut migrations::connect(&own.maintenance_url()).unwrap(), query);
        let data = ask("SELECT setting FROM pg_settings WHERE name = 'data_directory'");
        let programs = ask("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
        migrations::run(&own.maintenance_url()).unwrap();
        // Local mode's own server listens on no port.
        own.stop().unwrap();
        let owner = fs::metadata(&data).unwrap();
        let inside = |name: &str| {
            let place = Path::new(&data).join(name);
            fs::copy(certificates.file(name), &place).unwrap();
            chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
        };
        inside("right.pem");
        inside("right.key");
        fs::write(Path::new(&data).join("pg_hba.conf"), "host all all 127.0.0.1/32 trust\n").unwrap();
        let mut command = Command::new(Path::new(&programs).join("postgres"));
        command.arg("-D").arg(&data).arg("-p").arg(port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "ssl=on",
            "ssl_cert_file=right.pem",
            "ssl_key_file=right.key",
        ] {
            command.arg("-c").arg(setting);
        }
        if geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { port, certificates, child: command.spawn().unwrap(), _dir: dir };
        let url = started.url("127.0.0.1", "sslmode=disable");
        eventually("Postgres with TLS", async || migrations::connect(&url).ok().map(drop)).await;
        started
    }

    fn url(&self, hosts: &str, parameters: &str) -> String {
        let hosts: Vec<String> = hosts.split(',').map(|host| format!("{host}:{}", self.port)).collect();
        format!("postgresql://latchkey@{}/postgres?{parameters}", hosts.join(","))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGQUIT);
        let _ = self.child.wait();
    }
}

const WARNING: &str = "the connection to the database is not safe";

/// The start-up log lines about the connection.
async fn warned(latchkey: &Latchkey) -> Vec<Value> {
    let mut running = latchkey.serve_ready().await;
    running.logged("\"ready\"").await;
    // Stopped cleanly; otherwise the doctor would wait for its lock.
    let lines = running.stop(Signal::SIGTERM).await.into_iter().filter(|line| line.contains(WARNING));
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// The first host is this machine. The second is a documentation address (RFC 5737): no host answers there.
const AWAY: &str = "localhost,192.0.2.1";

#[actix_web::test]
async fn a_start_and_the_doctor_say_when_others_could_read_what_travels_to_the_database() {
    let postgres = Postgres::start().await;
    let authority = postgres.certificates.file("ca.pem");
    let on = |url: String| Latchkey::on(&url).with("LATCHKEY__SECRET", SECRET);
    for (hosts, parameters, warns, level, words) in [
        (AWAY, "sslmode=disable", Some("not encrypted"), "warning", "not encrypted, sslmode=disable"),
        (
            AWAY,
            "connect_timeout=3",
            Some("identity of the server is not verified"),
            "warning",
            "sslmode=prefer: the identity of the server is not verified",
        ),
        (
            AWAY,
            "sslmode=require",
            Some("identity of the server is not verified"),
            "warning",
            "sslmode=require: the identity of the server is not verified",
        ),
        (
            AWAY,
            "sslmode=verify-full",
            None,
            "ok",
            "sslmode=verify-full, and the identity of the server is verified",
        ),
        ("127.0.0.1", "sslmode=disable", None, "ok", "within this machine"),
    ] {
        let latchkey = on(postgres.url(hosts, parameters)).with("PGSSLROOTCERT", authority.display());
        let lines = warned(&latchkey).await;
        assert_eq!(lines.len(), usize::from(warns.is_some()), "{parameters}: {lines:#?}");
        for line in &lines {
            let text = line.to_string();
            assert_eq!(line["level"], "WARN", "{text}");
            for words in
                [warns.unwrap_or_default(), "PGSSLMODE=verify-full", "PGSSLROOTCERT", "\"DATABASE_URL\""]
            {
                assert!(text.contains(words), "{words:?} is not in {text}");
            }
        }
        doctor(&latchkey, &[]).says("database.tls", level, words);
    }

    // From the environment alone, and for the connection that bypasses a pooler.
    let local = TestDb::new();
    let direct = on(postgres.url("127.0.0.1", "connect_timeout=3"))
        .with("LATCHKEY__DATABASE__DIRECT_URL", postgres.url(AWAY, "connect_timeout=3"))
        .with("PGSSLMODE", "disable");
    let lines = warned(&direct).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].to_string().contains("LATCHKEY__DATABASE__DIRECT_URL"), "{lines:#?}");
    doctor(&direct, &[]).says("database.tls", "warning", "LATCHKEY__DATABASE__DIRECT_URL: not encrypted");
    assert_eq!(warned(&on(local.url())).await, Vec::<Value>::new(), "through a socket file");

    // The doctor does not talk to a server that cannot prove its identity.
    let stranger = on(postgres.url(AWAY, "sslmode=verify-full"))
        .with("PGSSLROOTCERT", postgres.certificates.file("stranger.pem").display());
    doctor(&stranger, &[]).says("database.reach", "problem", "certificate verify failed");
}
