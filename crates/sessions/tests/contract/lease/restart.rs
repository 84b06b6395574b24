//! Three instances through crashes of their Postgres.

use diesel::connection::SimpleConnection as _;
use diesel_migrations::MigrationHarness as _;
use futures_util::future::join_all;
use latchkey_db::connect;
use latchkey_sessions::{MIGRATIONS, Policy};
use local_postgres::{LocalPostgresOptions, LocalServer};
use nix::sys::signal::{Signal, kill};

use super::instances::{Instance, principal_and_gate, warm};
use test_db::{DataDir, eventually};

#[actix_web::test]
async fn after_a_crash_of_the_database_all_trust_again_and_hear_each_other() {
    let dir = DataDir::new();
    let mut options = LocalPostgresOptions::new(dir.path());
    options.settings = &[("fsync", "off")];
    let server = LocalServer::start(&options).unwrap();
    let url = server.maintenance_url();
    connect(&url, "latchkey").unwrap().run_pending_migrations(MIGRATIONS).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| Instance::start(&url, name, Policy::default()));
    let all = [&a, &b, &c];
    join_all(all.map(Instance::trusted)).await;
    let (ada, _) = principal_and_gate();
    for _ in 0..2 {
        let (stays, _) = a.open(ada).await;
        let (goes, handle) = b.open(ada).await;
        warm(&all, &stays).await;
        warm(&all, &goes).await;

        kill(dir.postgres().expect("a server"), Signal::SIGQUIT).unwrap();
        join_all(all.map(Instance::distrusted)).await;
        for instance in all {
            assert!(instance.sessions.find(&stays).await.is_err(), "neither in nor out");
        }
        eventually("its end", async || dir.postgres().is_none().then_some(())).await;
        drop(LocalServer::start(&options).unwrap());
        // Changed before any listener could have received it.
        connect(&url, "latchkey")
            .unwrap()
            .batch_execute(&format!("UPDATE sessions SET revoked_at = now() WHERE handle = '{handle}'"))
            .unwrap();
        for instance in all {
            eventually("an answer", async || instance.sessions.find(&stays).await.ok())
                .await
                .expect("a live one");
            assert!(!instance.has(&goes).await);
        }
        join_all(all.map(Instance::trusted)).await;
        for instance in all {
            assert!(instance.has(&stays).await && !instance.has(&goes).await);
        }
        let (key, handle) = c.open(ada).await;
        warm(&all, &key).await;
        assert!(a.revoke(handle).await);
        for instance in all {
            assert!(!instance.has(&key).await);
        }
    }
    drop((a, b, c));
    server.stop().unwrap();
}
