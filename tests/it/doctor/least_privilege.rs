//! docs/least-privilege.sql from end to end: one role owns the schema; another serves, can do everything that users
//! need, and cannot change the audit trail.

use std::fs;

use diesel::connection::SimpleConnection as _;
use latchkey::db::migrations;
use uuid::Uuid;

use super::{SECRET, doctor};
use crate::mail::MailServer;
use crate::support::browser::Browser;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, Running};
use crate::support::subjects;

const GRACE: (&str, &str) = ("grace@example.org", "nanoseconds-of-wire-30cm");
const ADA: &str = "ada@example.org";
const ADAS: [&str; 3] = ["poetical-science-1843", "analytical-engine-1837", "bernoulli-numbers-note-g"];

/// A database whose schema belongs to an ordinary role, and a serving role. Roles belong to the whole server, so these
/// have unique names.
struct TwoRoles {
    db: TestDb,
    owner: String,
    app: String,
}

impl TwoRoles {
    fn new() -> Self {
        let (db, name) = (TestDb::new(), Uuid::new_v4().simple());
        let (owner, app) = (format!("owner_{name}"), format!("app_{name}"));
        db.execute(&format!(
            "CREATE ROLE {owner} LOGIN NOSUPERUSER NOCREATEDB CREATEROLE; \
             DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {owner}"
        ));
        Self { db, owner, app }
    }

    fn url(&self, role: &str) -> String {
        self.db.url().replacen("latchkey@", &format!("{role}@"), 1)
    }

    /// Runs the statements as `role`.
    fn run(&self, role: &str, statements: &str) -> Result<(), String> {
        let mut conn = migrations::connect(&self.url(role)).unwrap();
        conn.batch_execute(statements).map_err(|error| error.to_string())
    }

    fn grant(&self) {
        let script =
            fs::read_to_string("docs/least-privilege.sql").unwrap().replace("latchkey_app", &self.app);
        self.run(&self.owner, &script).unwrap();
    }

    fn latchkey(&self, role: &str) -> Latchkey {
        Latchkey::on(&self.url(role)).with("LATCHKEY__SECRET", SECRET)
    }
}

impl Drop for TwoRoles {
    /// Must not panic, because it also runs while a failed test panics.
    fn drop(&mut self) {
        if let Ok(mut conn) = migrations::connect(&self.db.url()) {
            for role in [&self.app, &self.owner] {
                let _ = conn.batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
            }
        }
    }
}

#[actix_web::test]
async fn a_role_that_owns_nothing_serves_everything_people_do_and_cannot_touch_the_trail() {
    let (roles, mail) = (TwoRoles::new(), MailServer::start());
    assert!(roles.latchkey(&roles.owner).run(&["migrate"]).well()[0].starts_with("Applied"));
    // Old enough to be purged.
    roles
        .run(
            &roles.owner,
            "INSERT INTO audit_events (act, at) VALUES ('logged-out', now() - interval '90 days')",
        )
        .unwrap();
    roles.grant();
    let latchkey = roles
        .latchkey(&roles.app)
        .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", mail.port))
        .with("LATCHKEY__AUDIT__KEEP", "30d");
    assert_eq!(latchkey.run(&["migrate"]).well(), ["The schema is up to date."]);
    let mut running = latchkey.serve_ready().await;
    everything_people_do(&running, &mail, &roles).await;
    let wrong = |line: &String| line.contains("permission denied") || line.contains("\"ERROR\"");
    assert_eq!(running.log().into_iter().find(wrong), None);

    doctor(&latchkey, &[])
        .says("database.rights", "ok", "and no more")
        .says("database.migrations", "ok", "")
        .says("database.listen", "ok", "notifications arrive")
        .says("sessions.instances", "ok", "1 instance,")
        .says("audit.trail", "ok", "");
    running.stop(nix::sys::signal::Signal::SIGTERM).await;

    // Everything due is purged: a session, a deleted user, the personal data in their events, the oldest events.
    roles.db.execute(
        "UPDATE sessions SET created_at = created_at - interval '90 days', expires_at = now() - interval '60 days'; \
         UPDATE users SET delete_after = now() - interval '1 second' WHERE delete_after IS NOT NULL",
    );
    latchkey.run(&["session", "sweep"]).well();
    assert_eq!(roles.db.scalar::<i64>("SELECT count(*) FROM sessions"), 0);
    assert_eq!(roles.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
    assert!(roles.db.scalar::<i64>("SELECT count(*) FROM audit_chain WHERE salt IS NULL") > 0);
    assert_eq!(
        roles
            .db
            .scalar::<i64>("SELECT count(*) FROM audit_events WHERE act = 'logged-out' AND actor IS NULL"),
        0
    );
    latchkey.run(&["audit", "verify"]).well();
    roles.grant();
    the_trail_is_out_of_reach(&roles);
    latchkey.run(&["audit", "verify"]).well();
}

fn token(link: &str) -> &str {
    link.rsplit_once("token=").unwrap().1
}

async fn everything_people_do(running: &Running, mail: &MailServer, roles: &TwoRoles) {
    let setup = running.logged("/setup?token=").await["link"].as_str().unwrap().to_owned();
    let setup = setup[setup.find("/setup").unwrap()..].to_owned();
    let mut grace = running.browser();
    let fields = [("token", token(&setup)), ("name", "Grace"), ("email", GRACE.0), ("password", GRACE.1)];
    grace.fill_in(&setup, &fields).await.redirects_to("/login");
    grace.log_in(GRACE.0, GRACE.1).await.redirects_to("/home");

    let mut ada = running.browser();
    let person = [("name", "Ada"), ("email", ADA), ("password", ADAS[0])];
    ada.fill_in("/register", &person).await.redirects_to("/register/check-email");
    let link = mail.link_to(ADA, subjects::VERIFY_EMAIL).await;
    ada.fill_in(&link, &[("token", token(&link))]).await.redirects_to("/login");
    let logged_in = async |password: &str| -> Browser {
        let mut browser = running.browser();
        browser.log_in(ADA, password).await.redirects_to("/home");
        browser
    };
    running.browser().log_in(ADA, "not-the-password-at-all").await.is(422);
    let mut ada = logged_in(ADAS[0]).await;
    roles.db.execute("UPDATE sessions SET confirmed_at = confirmed_at - interval '1 hour'");
    assert!(ada.get("/account/password").await.is_sent_to("/confirm"));
    ada.fill_in("/confirm", &[("password", ADAS[0])]).await.is(303);
    ada.get("/account/password").await.is(200);
    let change = [("current_password", ADAS[0]), ("password", ADAS[1])];
    ada.post("/account/password", &change).await.redirects_to("/account/password");

    let mut phone = logged_in(ADAS[1]).await;
    let sessions = ada.get("/account/sessions").await;
    let actions = sessions.attributes("form[action$='/revoke']", "action");
    // The current one is the first.
    ada.post(actions.last().unwrap(), &[]).await.redirects_to("/account/sessions");
    assert!(!phone.is_in().await && ada.is_in().await);

    phone.fill_in("/forgot-password", &[("email", ADA)]).await.is(303);
    let link = mail.link_to(ADA, subjects::RESET_PASSWORD).await;
    phone.open(&link).await.is(200);
    phone
        .post("/reset-password", &[("token", token(&link)), ("password", ADAS[2])])
        .await
        .redirects_to("/login");
    let mut ada = logged_in(ADAS[2]).await;
    ada.get("/account/export").await.is(200);
    ada.get("/compare").await.is(200);
    ada.post("/compare/start", &[]).await.is(303);

    // Grace's confirmation was aged as well.
    grace.fill_in("/confirm", &[("password", GRACE.1)]).await.is(303);
    let id: String = roles.db.scalar(&format!("SELECT id::text FROM users WHERE email = '{ADA}'"));
    grace.get("/admin").await.is(200);
    for (verb, ada_is_in) in [("disable", false), ("enable", false)] {
        grace.post(&format!("/admin/users/{id}/{verb}"), &[]).await.is(303);
        assert_eq!(ada.is_in().await, ada_is_in, "{verb}");
    }
    grace.post("/admin/invitations", &[("email", "mary@example.org")]).await.is(303);
    let mut ada = logged_in(ADAS[2]).await;
    ada.fill_in("/account/delete", &[("email", ADA)]).await.redirects_to("/login");
    ada.get("/logout").await;
}

fn the_trail_is_out_of_reach(roles: &TwoRoles) {
    for table in ["audit_events", "audit_chain", "audit_checkpoints"] {
        let column = if table == "audit_events" { "act" } else { "seq" };
        for statement in [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
            format!("SET latchkey.retention = 'yes'; DELETE FROM {table}"),
            format!("SET latchkey.retention = 'erase'; UPDATE {table} SET {column} = {column}"),
            format!("SET session_replication_role = replica; DELETE FROM {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("DROP TABLE {table} CASCADE"),
        ] {
            let why = roles.run(&roles.app, &statement).expect_err(&statement);
            assert!(why.contains("permission denied") || why.contains("must be owner"), "{statement}: {why}");
        }
    }
    for statement in [
        "INSERT INTO audit_chain (seq, event_id, salt, personal, hash) VALUES (999, 1, '', '', '')",
        "INSERT INTO audit_checkpoints (seq, hash) VALUES (999, '')",
        "DELETE FROM __diesel_schema_migrations",
        "CREATE TABLE more (id int)",
        "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    ] {
        let why = roles.run(&roles.app, statement).expect_err(statement);
        assert!(why.contains("permission denied") || why.contains("must be owner"), "{statement}: {why}");
    }
    let recent = roles.run(&roles.app, "SELECT audit_forget(interval '1 day', 100)").unwrap_err();
    assert!(recent.contains("last 30 days"), "{recent}");
    let alive = roles.run(&roles.app, "SELECT audit_erase(id, email) FROM users").unwrap_err();
    assert!(alive.contains("only the trail of deleted users is erased"), "{alive}");
}

#[actix_web::test]
async fn a_serving_role_that_meets_an_older_schema_says_who_may_change_it_and_goes_on_when_it_is_done() {
    let roles = TwoRoles::new();
    let (owner, app) = (roles.latchkey(&roles.owner), roles.latchkey(&roles.app));
    owner.run(&["migrate"]).well();
    roles.grant();
    // As a new version finds it: without the newest migration.
    let newest: String = roles.db.scalar("SELECT max(version)::text FROM __diesel_schema_migrations");
    let down = fs::read_dir("migrations").unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    roles.run(&roles.owner, &fs::read_to_string(down.join("down.sql")).unwrap()).unwrap();
    roles
        .run(&roles.owner, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{newest}'"))
        .unwrap();

    for command in ["serve", "migrate"] {
        let ran = app.run(&[command]);
        assert_eq!(ran.code, Some(1));
        for words in ["may not change it", "run `latchkey migrate` as the owner", "docs/least-privilege.sql"]
        {
            assert!(ran.err.lines().last().unwrap().contains(words), "{command}: {}", ran.err);
        }
    }
    doctor(&app, &[]).says("database.migrations", "problem", "this role cannot apply them").says(
        "database.migrations",
        "problem",
        "as the owner of the tables",
    );
    owner.run(&["migrate"]).well();
    // Only a table of the newest migration is out of the role's reach until the script has run again.
    let brings_table = fs::read_to_string(down.join("up.sql")).unwrap().contains("CREATE TABLE");
    let (level, words) =
        if brings_table { ("problem", "least-privilege.sql") } else { ("ok", "and no more") };
    doctor(&app, &[]).says("database.migrations", "ok", "").says("database.rights", level, words);
    roles.grant();
    doctor(&app, &[]).says("database.rights", "ok", "and no more");
    app.serve_ready().await;
}
