//! The doctor behind a real PgBouncer in transaction mode: its findings on the settings, and that all other checks
//! work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, sql_query};
use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;

use super::{CHECKS, SECRET, doctor};
use crate::cluster::pooler::PgBouncer;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey};

fn on(url: &str) -> Latchkey {
    Latchkey::on(url).with("LATCHKEY__SECRET", SECRET)
}

#[actix_web::test]
async fn of_a_pooler_in_between_the_doctor_says_which_setting_is_missing() {
    let db = TestDb::new();
    let bouncer = PgBouncer::start(&db.url()).await;
    let (pooler, direct) = ("LATCHKEY__DATABASE__POOLER", "LATCHKEY__DATABASE__DIRECT_URL");
    let says = |latchkey: &Latchkey, level: &str, words: &[&str]| {
        let found = doctor(latchkey, &[]);
        for words in words {
            found.says("database.pooler", level, words);
        }
        found
    };
    let both = [
        "set LATCHKEY__DATABASE__POOLER=transaction, and set LATCHKEY__DATABASE__DIRECT_URL",
        "every lookup hits the database",
    ];
    let found = says(&on(&bouncer.url()), "problem", &both);
    found.says("database.listen", "problem", "LATCHKEY__DATABASE__DIRECT_URL");
    says(
        &on(&bouncer.url()).with(direct, db.url()),
        "problem",
        &["POOLER does not say so", "set LATCHKEY__DATABASE__POOLER=transaction: until then"],
    );
    let told = on(&bouncer.url()).with(pooler, "transaction");
    assert!(told.run(&["doctor"]).out.contains("LATCHKEY__DATABASE__DIRECT_URL has to bypass it"));
    says(
        &told.clone().with(direct, bouncer.url()),
        "problem",
        &["leads through a pooler as well", "bypasses the pooler"],
    );
    says(&told.with(direct, db.url()), "ok", &["as the settings say"]);

    says(&on(&db.url()), "ok", &["connections keep their server"]);
    says(&on(&db.url()).with(direct, db.url()), "ok", &["connections keep their server"]);
    says(&on(&db.url()).with(direct, db.url()).with(pooler, "transaction"), "note", &["remove it"]);
}

#[actix_web::test]
async fn behind_a_pooler_every_check_is_made_and_with_both_settings_right_there_is_no_problem() {
    // A production-like server, because the tests' own is configured for speed.
    let dir = DataDir::new();
    let server = LocalServer::start(&LocalPostgresOptions::new(dir.path())).unwrap();
    let direct = server.maintenance_url();
    // The smallest pool, in which a check that holds a connection and requests another would wait forever.
    let bouncer = PgBouncer::with(&direct, 1).await;
    let latchkey = on(&bouncer.url())
        .with("LATCHKEY__DATABASE__POOLER", "transaction")
        .with("LATCHKEY__DATABASE__DIRECT_URL", &direct);
    let running = latchkey.serve_ready().await;
    // Other clients use the same server connection meanwhile, with statements between ours.
    let over = Arc::new(AtomicBool::new(false));
    let busy = [(); 3].map(|()| {
        let (mut other, over) = (migrations::connect(&bouncer.url()).unwrap(), Arc::clone(&over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let said = other.transaction(|other| sql_query("SELECT 'theirs'").execute(other));
                said.expect("a transaction of theirs");
            }
        })
    });
    let found = doctor(&latchkey, &["--url", &running.origin]);
    over.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(found.code, Some(0), "{:#?}", found.rows);
    // Without mail there is no sender to check.
    let missing = CHECKS.iter().find(|check| **check != "mail.from" && !found.checks().contains(check));
    assert_eq!(missing, None);
    for row in &found.rows {
        assert!(!row["seen"].as_str().unwrap().contains("not checked"), "{row:#}");
    }
    found
        .says("database.pooler", "ok", "bypasses it")
        .says("database.listen", "ok", "notifications arrive")
        .says("database.migrations", "ok", "")
        .says("sessions.instances", "ok", "1 instance,")
        .says("audit.trail", "ok", "")
        .says("upkeep.seals", "ok", "");
    // The doctor leaves the server connection unchanged: the next client sees none of its settings.
    let mut next = migrations::connect(&bouncer.url()).unwrap();
    for _ in 0..4 {
        let ask = "DO $$ BEGIN ASSERT current_setting('latchkey.doctor', true) IS NULL; END $$";
        next.batch_execute(ask).expect("nothing left over");
    }
}
