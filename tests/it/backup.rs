//! A dump, restored into a fresh cluster as docs/operations.md says: users stay logged in, and changes after the dump
//! are lost as described.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use latchkey::db::local::{LocalPostgresOptions, LocalServer};
use latchkey::db::migrations;

use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::{DataDir, Latchkey, Running};

/// The newest installed `pg_dump`, because an older one refuses a newer server.
fn postgres(program: &str) -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = installed
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(program))
}

fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(postgres(program)).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// The same browser at the restored instance.
fn moved(browser: &Browser, to: &Running) -> Browser {
    let mut moved = to.browser();
    moved.cookies = browser.cookies.clone();
    moved
}

#[actix_web::test]
async fn a_dump_in_a_fresh_cluster_keeps_people_logged_in_and_what_came_after_it_is_lost() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut laptop = app.logged_in(&ada).await;
    let phone = app.logged_in(&ada).await;
    let program = app.token(&ada, &["me"]).await;
    let head = app.accounts.audit.trail_head().await.unwrap().to_string();
    let dir = DataDir::new();
    let file = dir.path().join("latchkey.dump").display().to_string();
    run("pg_dump", &["--format=custom", "--no-owner", "--file", &file, &app.db.url()]);
    // After the dump the phone's session is ended, and another user registers.
    laptop.get("/account/sessions").await.is(200);
    laptop.post("/account/sessions/revoke-others", &[]).await.is(303);
    let late = app.logged_in(&ada).await;
    let late_head = app.accounts.audit.trail_head().await.unwrap().to_string();

    let fresh = LocalServer::start(&LocalPostgresOptions::new(&dir.path().join("fresh"))).unwrap();
    migrations::create_database(&fresh.maintenance_url(), "restored").unwrap();
    let url = fresh.url("restored");
    run("pg_restore", &["--no-owner", "--exit-on-error", "--single-transaction", "--dbname", &url, &file]);
    let latchkey = Latchkey::on(&url);
    let running = latchkey.serve_ready().await;
    assert!(moved(&laptop, &running).is_in().await);
    assert!(moved(&phone, &running).is_in().await, "a revocation the dump does not know of is lost");
    assert!(!moved(&late, &running).is_in().await);
    running.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
    latchkey.run(&["audit", "verify", "--head", &head]).well();
    assert!(latchkey.run(&["audit", "verify", "--head", &late_head]).refused().contains("broken"));
    latchkey.run(&["audit", "at-rest"]).well();
    let tokens = latchkey.run(&["token", "list", "--json"]).well().join("");
    assert!(tokens.contains(&program.record.id.to_string()), "{tokens}");

    // That is why the restore ends all sessions first.
    assert_eq!(latchkey.run(&["session", "revoke", "--everybody"]).well().len(), 1);
    for browser in [&laptop, &phone] {
        assert!(!moved(browser, &running).is_in().await);
    }
    assert_eq!(latchkey.run(&["token", "list"]).well(), ["No tokens."]);
    running.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
}
