//! The audit trail is append-only, its events form a hash chain, and every kind of tampering is found.

use std::sync::Barrier;
use std::thread;

use diesel::connection::SimpleConnection as _;
use latchkey::accounts::Accounts;
use latchkey::audit::{BrokenChain, ChainHead, Damage};
use latchkey::config::Span;
use latchkey::db::Refusable as _;
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::process::Latchkey;
use crate::support::subjects;

/// Writes ten events without a user.
fn happenings(app: &TestApp) {
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, address, user_agent) SELECT 'name-changed', '{}', '192.0.2.' || n, 'Firefox' FROM generate_series(1, 10) n",
        Uuid::new_v4()
    ));
}

async fn broken(accounts: &Accounts) -> BrokenChain {
    accounts.audit.verify_trail(None).await.split().unwrap().expect_err("a broken trail")
}

/// As the owner of the tables can.
fn tamper(app: &TestApp, statements: &str) {
    let all = |verb: &str| {
        ["audit_events", "audit_chain", "audit_checkpoints"]
            .map(|table| format!("ALTER TABLE {table} {verb} TRIGGER USER;"))
            .concat()
    };
    app.db.execute(&format!("{} {statements}; {}", all("DISABLE"), all("ENABLE")));
}

#[actix_web::test]
async fn every_kind_of_tampering_is_found_where_it_was_done() {
    let cases = [
        ("UPDATE audit_events SET act = 'enabled' WHERE id = 4", Damage::Changed, Some(4), Some(4)),
        ("UPDATE audit_events SET address = '192.0.2.99' WHERE id = 4", Damage::Changed, Some(4), Some(4)),
        (
            "UPDATE audit_events SET at = at - interval '1 microsecond' WHERE id = 4",
            Damage::Changed,
            Some(4),
            Some(4),
        ),
        (
            "UPDATE audit_events SET subject = actor, actor = NULL WHERE id = 4",
            Damage::Changed,
            Some(4),
            Some(4),
        ),
        (
            "UPDATE audit_events SET address = '1', user_agent = '92.0.2.4Firefox' WHERE id = 4",
            Damage::Changed,
            Some(4),
            Some(4),
        ),
        ("DELETE FROM audit_events WHERE id = 4", Damage::Missing, Some(4), Some(4)),
        (
            "DELETE FROM audit_events WHERE id = 4; DELETE FROM audit_chain WHERE seq = 4",
            Damage::Missing,
            Some(4),
            None,
        ),
        (
            "DELETE FROM audit_events WHERE id = 1; DELETE FROM audit_chain WHERE seq = 1",
            Damage::Missing,
            Some(1),
            None,
        ),
        (
            "DELETE FROM audit_chain WHERE seq = 4; DELETE FROM audit_events WHERE id = 4; \
             UPDATE audit_chain SET seq = seq - 1 WHERE seq = 5",
            Damage::Changed,
            Some(4),
            Some(5),
        ),
        ("INSERT INTO audit_events (act) VALUES ('enabled')", Damage::Inserted, None, Some(11)),
        (
            "UPDATE audit_chain SET seq = 99 WHERE seq = 4; UPDATE audit_chain SET seq = 4 WHERE seq = 5; \
             UPDATE audit_chain SET seq = 5 WHERE seq = 99",
            Damage::Reordered,
            Some(4),
            Some(5),
        ),
        // Only events of a deleted user may be erased.
        (
            "UPDATE audit_chain SET salt = NULL WHERE seq = 4; UPDATE audit_events SET address = '', user_agent = '' WHERE id = 4",
            Damage::Changed,
            Some(4),
            Some(4),
        ),
    ];
    for (statements, damage, seq, event) in cases {
        let app = TestApp::spawn();
        happenings(&app);
        assert_eq!(
            app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail").links,
            10
        );
        tamper(&app, statements);
        assert_eq!(broken(&app.accounts).await, BrokenChain { damage, seq, event }, "{statements}");
    }
}

#[actix_web::test]
async fn a_tail_that_was_cut_off_or_written_anew_is_found_with_a_head_kept_elsewhere() {
    let app = TestApp::spawn();
    happenings(&app);
    let kept = app.accounts.audit.trail_head().await.unwrap();
    assert_eq!(kept.seq, 10);
    assert_eq!(kept.to_string().parse::<ChainHead>().unwrap(), kept);
    app.db.execute("INSERT INTO audit_events (act) VALUES ('enabled')");
    app.accounts.audit.verify_trail(Some(kept.clone())).await.split().unwrap().expect("it only grew");

    tamper(&app, "DELETE FROM audit_events WHERE id > 8; DELETE FROM audit_chain WHERE seq > 8");
    app.accounts
        .audit
        .verify_trail(None)
        .await
        .split()
        .unwrap()
        .expect("without the head the change cannot be found");
    let cut = app.accounts.audit.verify_trail(Some(kept.clone())).await.split().unwrap().unwrap_err();
    assert_eq!((cut.damage, cut.seq), (Damage::CutOff, Some(10)));
    happenings(&app);
    let anew = app.accounts.audit.verify_trail(Some(kept)).await.split().unwrap().unwrap_err();
    assert_eq!((anew.damage, anew.seq), (Damage::Rewritten, Some(10)));
}

#[actix_web::test]
async fn the_tables_refuse_everything_but_growing() {
    let app = TestApp::spawn();
    happenings(&app);
    let before = app.dump();
    let mut conn = app.db.connect();
    for table in ["audit_events", "audit_chain"] {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("SET session_replication_role = replica; DELETE FROM {table}"),
            format!("BEGIN; SET LOCAL latchkey.retention = 'yes'; TRUNCATE {table}"),
        ] {
            let why = conn.batch_execute(&statement).unwrap_err().to_string();
            assert!(why.contains("the audit trail only grows"), "{statement}: {why}");
            conn.batch_execute("ROLLBACK; RESET session_replication_role").unwrap();
        }
    }
    for statement in [
        "UPDATE audit_events SET detail = 'x'",
        "UPDATE audit_chain SET seq = seq + 100",
        "BEGIN; SET LOCAL latchkey.retention = 'erase'; UPDATE audit_events SET address = '', user_agent = '', act = 'x'",
        "BEGIN; SET LOCAL latchkey.retention = 'erase'; UPDATE audit_events SET address = 'x', user_agent = ''",
    ] {
        let why = conn.batch_execute(statement).unwrap_err().to_string();
        assert!(why.contains("the audit trail only grows"), "{statement}: {why}");
        conn.batch_execute("ROLLBACK").unwrap();
    }
    assert!(conn.batch_execute(&format!("SELECT audit_erase('{}', 'x')", Uuid::new_v4())).is_err());
    assert_eq!(app.dump(), before);
}

#[actix_web::test]
async fn old_events_can_be_thrown_away_behind_a_checkpoint() {
    let app = TestApp::spawn();
    happenings(&app);
    let (old, head) =
        (app.accounts.audit.trail_head().await.unwrap(), include_str!("../../docs/audit-retention.sql"));
    happenings(&app);
    app.db.execute(&head.replace(":last_seq", "12"));
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert_eq!((intact.since, intact.links), (12, 8));
    app.accounts.audit.verify_trail(Some(old)).await.split().unwrap().expect("older than what is kept");
    happenings(&app);
    app.db.execute(&head.replace(":last_seq", "30"));
    assert_eq!(app.accounts.audit.trail_head().await.unwrap().seq, 30);
    happenings(&app);
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert_eq!((intact.since, intact.links, intact.head.seq), (30, 10, 40));
    tamper(&app, "DELETE FROM audit_events WHERE id = 31; DELETE FROM audit_chain WHERE seq = 31");
    assert_eq!(broken(&app.accounts).await.damage, Damage::Missing);
}

#[actix_web::test]
async fn a_rolled_back_event_leaves_no_gap() {
    let app = TestApp::spawn();
    let mut conn = app.db.connect();
    for end in ["COMMIT", "ROLLBACK", "COMMIT"] {
        conn.batch_execute(&format!("BEGIN; INSERT INTO audit_events (act) VALUES ('a'), ('b'); {end}"))
            .unwrap();
    }
    let seqs = "SELECT string_agg(seq || ' ' || event_id, ', ' ORDER BY seq) FROM audit_chain";
    assert_eq!(app.db.scalar::<String>(seqs), "1 1, 2 2, 3 5, 4 6");
    app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
}

#[actix_web::test]
async fn a_hundred_at_once_make_one_chain_without_gap_or_deadlock() {
    let app = TestApp::spawn();
    let together = Barrier::new(100);
    let (db, together) = (&app.db, &together);
    thread::scope(|scope| {
        for n in 0..100 {
            scope.spawn(move || {
                let mut conn = db.connect();
                together.wait();
                // Other locks, in any order, before and after the event.
                let (one, two) = if n % 2 == 0 { ("n", "100 - n") } else { ("100 - n", "n") };
                conn.batch_execute(&format!(
                    "BEGIN; INSERT INTO audit_events (act, detail) VALUES ('{n}', '{one}'); \
                     INSERT INTO throttles VALUES ('{n}', 1, now(), NULL); \
                     INSERT INTO audit_events (act, detail) VALUES ('{n}', '{two}'); COMMIT"
                ))
                .unwrap();
            });
        }
    });
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert_eq!((intact.links, intact.head.seq), (200, 200));
}

#[actix_web::test]
async fn a_hundred_parallel_log_ins_are_a_hundred_links() {
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.account_free = 1000;
        settings.hashing.queue = 200;
        settings.pool.checkout_wait = Span::minutes(1);
    });
    let ada = app.ada().await;
    let tries = (0..100).map(|_| async {
        app.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
    });
    futures_util::future::join_all(tries).await;
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert_eq!((app.events("logged-in"), intact.head.seq as u64), (100, intact.links));
    assert!(intact.links >= 100);
}

#[test]
fn the_operator_sees_whether_the_trail_is_whole() {
    let app = TestApp::spawn();
    happenings(&app);
    let latchkey = Latchkey::on(&app.db.url());
    let head = latchkey.run(&["audit", "head"]).well()[0].to_owned();
    assert!(head.starts_with("10:"), "{head}");
    let ran = latchkey.run(&["audit", "verify", "--head", &head, "--json"]);
    let said: serde_json::Value = serde_json::from_str(ran.well()[0]).unwrap();
    assert_eq!(
        (&said["intact"], &said["links"], &said["head"]),
        (&true.into(), &10.into(), &head.as_str().into())
    );
    assert!(latchkey.run(&["audit", "verify"]).well()[0].starts_with("The audit trail is intact: 10 links"));
    assert!(
        latchkey
            .run(&["audit", "verify", "--head", "10"])
            .refused()
            .contains("is not an output of `audit head`")
    );
    tamper(&app, "UPDATE audit_events SET act = 'enabled' WHERE id = 4");
    let why = latchkey.run(&["audit", "verify"]);
    assert_eq!(why.refused(), "the audit trail is broken at link 4, event 4: changed");
    let ran = latchkey.run(&["audit", "verify", "--json"]);
    let said: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!(
        (&said["intact"], &said["link"], &said["damage"]),
        (&false.into(), &4.into(), &"changed".into())
    );
}

#[actix_web::test]
async fn the_documented_role_works_and_can_only_let_the_trail_grow() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.logged_in(&ada).await;
    // A unique name, because roles belong to the whole server.
    let role = format!("app_{}", Uuid::new_v4().simple());
    app.db.execute(&include_str!("../../docs/least-privilege.sql").replace("latchkey_app", &role));
    let mut conn = app.db.connect();
    conn.batch_execute(&format!("SET SESSION AUTHORIZATION {role}")).unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO audit_events (act, subject) VALUES ('logged-in', '{0}'); UPDATE users SET name = 'Ada' WHERE id = '{0}'; \
         SELECT * FROM audit_chain",
        ada.id
    ))
    .unwrap();
    for statement in [
        "UPDATE audit_events SET act = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "BEGIN; SET LOCAL latchkey.retention = 'yes'; DELETE FROM audit_events",
        "INSERT INTO audit_chain SELECT 99, 99, NULL, personal, hash FROM audit_chain LIMIT 1",
        "UPDATE audit_chain SET salt = NULL",
        "DELETE FROM audit_chain",
        "INSERT INTO audit_checkpoints SELECT seq, hash FROM audit_chain LIMIT 1",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ] {
        let why = conn.batch_execute(statement).unwrap_err().to_string();
        assert!(
            ["permission denied", "must be owner"].iter().any(|no| why.contains(no)),
            "{statement}: {why}"
        );
        conn.batch_execute("ROLLBACK").unwrap();
    }
    drop(conn);
    let intact = app.accounts.audit.verify_trail(None).await.split().unwrap().expect("a whole trail");
    assert_eq!(intact.links, 2);
    app.db.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[actix_web::test]
async fn no_secret_is_ever_in_the_trail() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let first = browser.key();
    browser.fill_in("/confirm", &[("password", "a-wrong-password-1815")]).await.is(422);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(303);
    let second = browser.key();
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let fields = [("token", letter.token()), ("password", "gravel tuba otter lemon".into())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    app.browser().fill_in(&letter.link(), &fields).await.redirects_to("/login");
    assert_eq!(app.events("password-reset"), 1);

    let trail: String = app.db.scalar("SELECT string_agg(t::text, ' ') FROM audit_events t");
    let token = letter.token();
    let hashes: String = app.db.scalar("SELECT string_agg(encode(key_hash, 'hex'), ' ') FROM sessions");
    for secret in
        [&first, &second, &token, ada.password, "a-wrong-password-1815", "gravel tuba otter lemon", "$argon2"]
    {
        assert!(!secret.is_empty() && !trail.contains(secret), "{secret} in {trail}");
    }
    assert!(hashes.split(' ').all(|hash| !trail.contains(hash)), "{trail}");
}
