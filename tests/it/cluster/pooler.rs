//! A real PgBouncer in transaction mode between the pool and Postgres.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use nix::unistd::{User, geteuid};

use crate::history::rng::Rng;
use crate::history::seed;
use crate::history::simulation::{Activity, Summary, lives, name_the_revoked, unthrottled, world};
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, eventually, free_port};

pub struct PgBouncer {
    port: u16,
    child: Child,
    _dir: DataDir,
}

impl PgBouncer {
    /// Starts PgBouncer in front of `url`, the URL of a private server, with fewer connections than clients, so that
    /// each transaction gets another connection.
    pub async fn start(url: &str) -> Self {
        Self::with(url, 3).await
    }

    /// The same, with this many connections to the server.
    pub async fn with(url: &str, size: u8) -> Self {
        let url = url::Url::parse(&url.replace("@/", "@localhost/")).expect("a URL");
        let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).expect("a part").1.into_owned();
        let database = url.path().trim_start_matches('/');
        let (host, port, user) = (of("host"), of("port"), url.username());
        Self::in_front(&format!("host={host} port={port} dbname={database} user={user}"), size).await
    }

    /// Starts PgBouncer in front of the server with this connection string.
    pub async fn before(server: &str) -> Self {
        Self::in_front(server, 3).await
    }

    async fn in_front(server: &str, size: u8) -> Self {
        let (dir, port) = (DataDir::new(), free_port());
        let file = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\nhere = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\n\
             unix_socket_dir =\nserver_login_retry = 1\n",
        );
        fs::write(&file, text).expect("a configuration");
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
        let program = program.iter().find(|place| Path::new(place).exists());
        let program = program.expect("pgbouncer is missing: bin/test installs it");
        let mut command = Command::new(program);
        command.arg(&file).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // PgBouncer refuses to run as root; Postgres runs as the first of these users that exists.
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        if let Some(user) = user.filter(|_| geteuid().is_root()) {
            chown(&file, Some(user.uid.as_raw()), None).expect("a file of theirs");
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let child = command.spawn().expect("pgbouncer");
        let bouncer = Self { port, child, _dir: dir };
        eventually("PgBouncer", async || std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
            .await;
        bouncer
    }

    pub fn url(&self) -> String {
        format!("postgresql://anybody@127.0.0.1:{}/here", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::test]
async fn everything_works_behind_a_pooler_in_transaction_mode_that_the_settings_name() {
    let db = TestDb::new();
    let bouncer = PgBouncer::start(&db.url()).await;
    let first = with_direct(&bouncer, &db).with("LATCHKEY__DATABASE__POOLER", "transaction");
    let programs = [first.clone(), first.on_another_port()];
    let running = join_all(programs.iter().map(Latchkey::serve_ready)).await;
    let world = world(&db.url(), "p", programs.iter().map(Latchkey::origin).collect()).await;
    world.open_app(&db.url()).await;
    let lives = lives(&world, &mut Rng::new(seed()));
    eventually("a good many requests and ends", async || {
        let Activity { served, served_in_app, ended, .. } = Activity::of(&world);
        (served > 60 && ended > 10 && served_in_app > 5).then_some(())
    })
    .await;
    world.over.set(true);
    join_all(lives).await;
    world.compare_with_app().await;
    let ends = name_the_revoked(&world, &db.url());
    world.history.borrow_mut().ends.extend(ends);
    let summary = Summary::of(0, &world, std::collections::BTreeMap::new());
    assert!(summary.is_good() && summary.activity.served > 50 && summary.activity.ended > 5, "{summary}");
    assert_eq!(world.wire.tally().failed.len(), 0, "{:?}", world.wire.tally().failed);
    let app = world.app.get().expect("an app").wire.tally();
    assert!(
        summary.activity.served_in_app > 0 && app.all_failed() <= summary.cut_off,
        "{summary}{:?}",
        app.failed
    );
    // Each receives the other's notifications.
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM listeners"), 2);
    for instance in &running {
        let log = instance.log();
        let wrong = ["pooler", "prepared statement", "listener lost", "\"ERROR\""];
        assert!(!log.iter().any(|line| wrong.iter().any(|words| line.contains(words))), "{log:#?}");
    }
    // A setting of one transaction does not affect the next, for any client.
    let limit = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'";
    let mut through = latchkey::db::migrations::connect(&bouncer.url()).expect("a connection");
    for _ in 0..8 {
        use diesel::connection::SimpleConnection as _;
        through.batch_execute(&format!("DO $$ BEGIN ASSERT ({limit}) = '0'; END $$")).expect("no limit left");
    }
}

#[actix_web::test]
async fn behind_an_undeclared_pooler_the_program_refuses_to_start_and_names_the_setting() {
    let db = TestDb::new();
    let bouncer = PgBouncer::start(&db.url()).await;
    for forgotten in [unthrottled(&bouncer.url()), with_direct(&bouncer, &db)] {
        refused(&forgotten, &["serve"]);
    }
    // Commands bypass the pooler if a direct URL is set.
    let forgotten = unthrottled(&bouncer.url());
    let commands: [&[&str]; 4] =
        [&["migrate"], &["user", "list"], &["session", "sweep"], &["audit", "verify"]];
    for command in commands {
        refused(&forgotten, command);
    }
    with_direct(&bouncer, &db).run(&["user", "list"]).well();
}

fn refused(program: &Latchkey, command: &[&str]) {
    let refused = program.run(command);
    assert!(
        refused.err.contains("set LATCHKEY__DATABASE__POOLER=transaction"),
        "{command:?}: {}",
        refused.err
    );
    assert_eq!(refused.code, Some(1));
}

fn with_direct(bouncer: &PgBouncer, db: &TestDb) -> Latchkey {
    unthrottled(&bouncer.url()).with("LATCHKEY__DATABASE__DIRECT_URL", db.url())
}

#[actix_web::test]
async fn a_pooler_in_transaction_mode_without_a_way_past_it_is_refused() {
    let refused = Latchkey::on("postgresql://nobody@localhost/nothing")
        .with("LATCHKEY__DATABASE__POOLER", "transaction")
        .run(&["config"]);
    assert!(refused.refused().contains("LATCHKEY__DATABASE__DIRECT_URL has to bypass it"));
}
