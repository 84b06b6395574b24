//! A second server takes over: after the first has died, and while the first still answers but only reads.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use latchkey::db::local::LocalServer;
use latchkey::db::migrations;
use nix::sys::signal::Signal;

use super::harness::{CALM, Harness, start};
use super::outcome::Outcome;
use super::proxy::Proxy;
use super::rows;
use super::side_jobs::fill_in;
use crate::history::actors::PASSWORD;
use crate::support::process::{DataDir, eventually};

/// How long only a read-only server is available.
const ONLY_READS: Duration = Duration::from_secs(3);

pub async fn fails_over() -> Vec<Outcome> {
    vec![the_first_dies().await, the_first_only_reads().await]
}

async fn the_first_dies() -> Outcome {
    let (mut harness, proxy, standby) = pair().await;
    harness.open_app().await;
    harness.live().await;
    harness.stop_postgres(Signal::SIGQUIT).await;
    proxy.lead_to(&standby.url);
    proxy.cut();
    // An instance that starts now finds every table, but must not trust the content: a standby lags behind.
    let late = harness.programs[0].on_another_port().with("DATABASE_URL", &standby.url).serve().await;
    late.logged("waiting for the database").await;
    let begun = Instant::now();
    let (mut refused, mut turned_away) = (0, 0);
    while begun.elapsed() < ONLY_READS {
        let origin = harness.world.origins[0].clone();
        let fields = [("email", "link296@example.org"), ("password", PASSWORD)];
        if let Some(reply) = fill_in(&harness.world, &origin, "/login", &fields).await {
            harness.expect(
                reply.status == Some(503),
                format!("a log-in that could not be written: {:?}", reply.status),
            );
            refused += 1;
        }
        for origin in [origin, late.origin.clone()] {
            let ready = harness.world.wire.get(&format!("{origin}/readyz"), "").await.status;
            harness.expect(ready == Some(503), format!("/readyz of {origin} on a standby: {ready:?}"));
            turned_away += 1;
        }
    }
    standby.takes_over(&mut harness).await;
    let back = harness.recovers(Instant::now()).await;
    late.ready().await;
    harness.notes.push(format!(
        "{refused} log-ins and {turned_away} readiness checks refused while there was only a standby"
    ));
    harness.judged("Failover: the first server dies", Some(back)).await
}

/// No proxy closes the connections to the old server: the program has to close them itself.
async fn the_first_only_reads() -> Outcome {
    let (mut harness, proxy, standby) = pair().await;
    harness.open_app().await;
    harness.live().await;
    harness.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    harness.execute("SELECT pg_reload_conf()");
    time::sleep(CALM / 2).await;
    proxy.lead_to(&standby.url);
    standby.takes_over(&mut harness).await;
    let back = harness.recovers(Instant::now()).await;
    harness.judged("Failover: the first server only reads", Some(back)).await
}

struct Standby {
    url: String,
    _server: LocalServer,
    _dir: DataDir,
}

impl Standby {
    /// Returns when the server accepts writes.
    async fn takes_over(&self, harness: &mut Harness) {
        harness.url.clone_from(&self.url);
        let mut standby = PgConnection::establish(&self.url).expect("a connection to the standby");
        standby.batch_execute("SELECT pg_promote()").expect("a promotion");
        let writes = "SELECT 'yes' WHERE NOT pg_is_in_recovery()";
        let url = &self.url;
        eventually("a server that writes", async || {
            let mut conn = migrations::connect(url).ok()?;
            (!rows(&mut conn, writes).is_empty()).then_some(())
        })
        .await;
    }
}

/// A server, a program that reaches it through a proxy, and a synchronous standby.
async fn pair() -> (Harness, Rc<Proxy>, Standby) {
    let proxy = Rc::new(Proxy::new());
    let harness = Harness::new(&[], |program, url| {
        proxy.lead_to(url);
        vec![program.with("DATABASE_URL", proxy.url())]
    })
    .await;
    let dir = DataDir::new();
    copy(&harness, dir.path());
    let server = start(dir.path().to_owned(), &[]).await;
    let url = server.maintenance_url();
    let streams = "SELECT 'yes' FROM pg_stat_replication WHERE state = 'streaming'";
    eventually("replication", async || {
        let mut conn = migrations::connect(&harness.url).ok()?;
        (!rows(&mut conn, streams).is_empty()).then_some(())
    })
    .await;
    harness.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
    harness.execute("SELECT pg_reload_conf()");
    (harness, proxy, Standby { url, _server: server, _dir: dir })
}

fn copy(harness: &Harness, into: &Path) {
    let url = url::Url::parse(&harness.url.replace("@/", "@localhost/")).expect("a URL");
    let part = |name: &str| url.query_pairs().find(|(key, _)| key == name).expect("a part").1.into_owned();
    let target = into.join("postgres");
    let copied = Command::new(program("pg_basebackup"))
        .args(["--host", &part("host"), "--port", &part("port"), "--username", "latchkey"])
        .args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata"])
        .arg(&target)
        .output()
        .expect("pg_basebackup");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    // Root owns the directory, but Postgres refuses to run as root.
    let owner = fs::metadata(harness.dir.path().join("postgres")).expect("a cluster");
    let owner = format!("{}:{}", owner.uid(), owner.gid());
    let given = Command::new("chown").args(["-R", &owner]).arg(&target).status().expect("chown");
    assert!(given.success());
}

/// In the directory of the server's own programs.
fn program(name: &str) -> PathBuf {
    let mut places: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    places.sort();
    places.pop().unwrap_or_else(|| name.into())
}
