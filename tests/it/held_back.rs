//! The last byte of a form is held back: the rights at its arrival decide. Generated from all POST routes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use latchkey::identity::{Client, Role, UserId};
use latchkey::web::routes::{self, Face, Method, Route};
use latchkey::web::session::guard::GuardKind;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::process::eventually;

/// A request without its last byte.
struct HeldBack {
    line: TcpStream,
    last: u8,
}

impl HeldBack {
    fn begin(app: &TestApp, browser: &Browser, path: &str, json: bool, body: &str) -> Self {
        let cookies: Vec<String> =
            browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             X-CSRF-Token: {}\r\nCookie: {}\r\nContent-Length: {}\r\n\r\n",
            browser.token,
            cookies.join("; "),
            body.len(),
        );
        let mut line = TcpStream::connect(app.origin.strip_prefix("http://").unwrap()).unwrap();
        line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (most, last) = body.as_bytes().split_at(body.len() - 1);
        line.write_all(&[head.as_bytes(), most].concat()).unwrap();
        Self { line, last: last[0] }
    }

    fn finish(mut self) -> Answer {
        self.line.write_all(&[self.last]).unwrap();
        let mut raw = Vec::new();
        let _ = self.line.read_to_end(&mut raw);
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {raw}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Answer { status, headers, body: body.to_owned() }
    }
}

/// How often sessions were looked up.
fn looked_up(app: &TestApp) -> u64 {
    let counts = app.accounts.sessions().counts();
    counts.hits.get() + counts.misses.get() + counts.bypasses.get()
}

/// Begins a request, and returns after the first look-up, when the guard has decided and the server waits for the body.
async fn hold_back(app: &TestApp, browser: &Browser, path: &str, json: bool, body: &str) -> HeldBack {
    let before = looked_up(app);
    let held = HeldBack::begin(app, browser, path, json, body);
    eventually("the session is looked up", async || (looked_up(app) > before).then_some(())).await;
    held
}

/// How a user loses a right.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Revoked,
    Disabled,
    Demoted,
    ConfirmationOver,
    /// The key was rotated in another tab, so the old key is invalid.
    Rotated,
}

const ENDS: [End; 5] = [End::Revoked, End::Disabled, End::Demoted, End::ConfirmationOver, End::Rotated];

impl End {
    async fn come(self, app: &TestApp, person: &Person, browser: &Browser) {
        let (id, operator) = (UserId(person.id), Client::operator());
        match self {
            Self::Revoked => app.accounts.admin.revoke_sessions_of(None, id, operator).await.unwrap(),
            Self::Disabled => app.accounts.admin.disable(None, id, operator).await.unwrap(),
            Self::Demoted => app.accounts.admin.set_role(None, id, Role::Member, operator).await.unwrap(),
            Self::ConfirmationOver => {
                app.age_confirmations();
                app.accounts.sessions().wait_until_invalidated().await;
            }
            Self::Rotated => {
                let mut tab = browser.copy();
                tab.fill_in("/confirm", &[("password", person.password)]).await.redirects_to("/home");
            }
        }
    }

    /// Where the guard sends a user who has lost this right; `None` if the guard does not require it.
    fn denies(self, guard: GuardKind) -> Option<&'static str> {
        match (guard, self) {
            (GuardKind::Visitor | GuardKind::Pending, _) => None,
            (_, Self::Revoked | Self::Disabled | Self::Rotated) => Some("/login"),
            (GuardKind::Admin, Self::Demoted) => Some("nowhere"),
            (GuardKind::Confirmed | GuardKind::Admin, Self::ConfirmationOver) => Some("/confirm"),
            _ => None,
        }
    }
}

fn is_denied(row: &Route, answer: &Answer, to: &str) -> bool {
    match (answer.status, to) {
        (403, "nowhere") => row.face == Face::Page || answer.json()["next"].is_null(),
        (403, _) if row.face == Face::Json => {
            answer.json()["next"].as_str().is_some_and(|next| next.starts_with(to))
        }
        // The typed values are in the confirmation page.
        (403, "/confirm") => answer.attribute("main", "data-page").as_deref() == Some("confirm"),
        _ => answer.is_sent_to(to),
    }
}

/// The path of a row with ids of existing users and sessions, and a body that has an effect.
fn aimed_at(app: &TestApp, row: &Route, victim: &Person, browser: &Browser) -> (String, String) {
    let handle: String = app
        .db
        .scalar(&format!("SELECT handle::text FROM sessions WHERE principal = '{}' LIMIT 1", victim.id));
    let id = if row.path.contains("{handle}") { handle } else { victim.id.to_string() };
    let path: Vec<&str> =
        row.path.split('/').map(|part| if part.starts_with('{') { &*id } else { part }).collect();
    let typed = |name: &&str| match *name {
        "email" => "&email=eve%40example.org".to_owned(),
        "role" => "&role=admin".to_owned(),
        name => format!("&{name}=Eve"),
    };
    let fields: String = row.texts.iter().map(typed).collect();
    let body = if row.face == Face::Json {
        "{}".to_owned()
    } else {
        format!("csrf_token={}{fields}", browser.token)
    };
    (path.join("/"), body)
}

fn posts() -> Vec<Route> {
    let mut rows = routes::page_table();
    rows.retain(|row| row.method == Method::Post);
    rows
}

#[actix_web::test]
async fn a_user_who_loses_the_right_while_a_form_arrives_changes_nothing() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    // So that one administrator remains.
    app.db.execute("UPDATE users SET role = 'admin' WHERE email = 'mary@example.org'");
    app.logged_in(&ada).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for row in posts() {
        for end in ENDS {
            let Some(to) = end.denies(row.guard) else { continue };
            app.db.execute(
                "UPDATE users SET role = 'admin', disabled_at = NULL WHERE email = 'grace@example.org'",
            );
            let mut browser = app.logged_in(&grace).await;
            browser.get("/account").await.is(200);
            let (path, body) = aimed_at(&app, &row, &ada, &browser);
            let held = hold_back(&app, &browser, &path, row.face == Face::Json, &body).await;
            end.come(&app, &grace, &browser).await;
            let before = app.dump();
            let answer = held.finish();
            tried += 1;
            if !is_denied(&row, &answer, to) || app.dump() != before {
                wrong.push(format!("{} after {end:?}: {} {}", row.path, answer.status, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 80, "{tried}");
    assert_eq!(app.live_sessions(&mary), 0);
}

#[actix_web::test]
async fn a_slow_form_is_carried_out_as_any_other() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for row in posts() {
        if row.guard == GuardKind::Pending || row.guard == GuardKind::Visitor {
            continue;
        }
        app.db
            .execute("UPDATE users SET role = 'member', disabled_at = NULL WHERE email = 'ada@example.org'");
        app.logged_in(&ada).await;
        let mut browser = app.logged_in(&grace).await;
        browser.get("/account").await.is(200);
        let (path, body) = aimed_at(&app, &row, &ada, &browser);
        let answer = hold_back(&app, &browser, &path, row.face == Face::Json, &body).await.finish();
        let admitted = ![401, 403].contains(&answer.status)
            && answer.status < 500
            && !answer.is_sent_to("/login")
            && !answer.is_sent_to("/confirm");
        assert!(admitted, "{}: {} {}", row.path, answer.status, answer.body);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users WHERE name = 'Eve'"), 1);
    assert!(app.events("role-changed") == 1 && app.events("disabled") == 1 && app.events("invited") == 1);
}

#[actix_web::test]
async fn a_log_in_that_began_with_a_key_rotated_since_does_not_end_the_owners_session() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut owner = app.logged_in(&ada).await;
    owner.get("/account").await.is(200);
    // A thief has a copy of the key, and a form of their own.
    let mut thief = app.browser();
    thief.get("/login").await.is(200);
    thief.cookies.insert("latchkey".into(), owner.cookies["latchkey"].clone());
    let body = format!(
        "csrf_token={}&email={}&password={}",
        thief.token,
        grace.email.replace('@', "%40"),
        grace.password
    );
    let held = hold_back(&app, &thief, "/login", false, &body).await;
    owner.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
    held.finish().redirects_to("/home");
    assert!(owner.is_in().await);
    assert_eq!((app.live_sessions(&ada), app.live_sessions(&grace)), (1, 1));
}

#[actix_web::test]
async fn while_the_lease_holds_asking_again_takes_no_query() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    eventually("the lease begins", async || app.accounts.sessions().has_lease().then_some(())).await;
    browser.get("/account").await.is(200);
    let counts = app.accounts.sessions().counts();
    let (hits, read) = (counts.hits.get(), counts.misses.get() + counts.bypasses.get());
    let body = format!("csrf_token={}&name=Countess", browser.token);
    let held = hold_back(&app, &browser, "/account/profile", false, &body).await;
    held.finish().redirects_to("/account");
    assert_eq!(counts.hits.get(), hits + 2);
    assert_eq!(counts.misses.get() + counts.bypasses.get(), read);
}

#[actix_web::test]
async fn a_passkey_is_worth_nothing_in_a_session_that_ended_while_its_answer_arrived() {
    let app = TestApp::spawn();
    let (grace, mary) = (app.grace().await, app.mary().await);
    // The last administrator cannot be disabled.
    app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", mary.id));
    // For rows of visitors the form token is bound to the session; the guard of other rows checks the session itself.
    for (path, code) in [
        ("/login/passkey/start", "foreign-form"),
        ("/login/passkey/finish", "foreign-form"),
        ("/confirm/passkey/start", "log-in"),
        ("/confirm/passkey/finish", "log-in"),
    ] {
        for end in [End::Revoked, End::Disabled, End::Rotated] {
            app.db.execute("UPDATE users SET disabled_at = NULL");
            let mut browser = app.logged_in(&grace).await;
            browser.get("/account").await.is(200);
            let held = hold_back(&app, &browser, path, true, "{}").await;
            end.come(&app, &grace, &browser).await;
            let before = app.dump();
            let answer = held.finish();
            answer.is(403).is_error(code);
            assert_eq!(app.dump(), before, "{path} {end:?}");
        }
    }
}

#[actix_web::test]
async fn a_log_in_that_waits_is_asked_for_again_when_its_code_has_arrived() {
    let app = TestApp::spawn();
    let mary = app.mary().await;
    app.enrol(&mut app.logged_in(&mary).await).await;
    let mut browser = app.browser();
    browser.log_in(mary.email, mary.password).await.redirects_to("/login/second-factor");
    browser.get("/login/second-factor").await.is(200);
    let body = format!("csrf_token={}&code=123456", browser.token);
    // The guard's query waits for this lock. After COMMIT the test waits until the query is answered.
    let mut lock = app.db.connect();
    lock.batch_execute("BEGIN; LOCK TABLE pending_logins IN ACCESS EXCLUSIVE MODE").unwrap();
    let held = HeldBack::begin(&app, &browser, "/login/second-factor", false, &body);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pending_logins'::regclass";
    eventually("the guard asks", async || (app.db.scalar::<i64>(waiting) > 0).then_some(())).await;
    lock.batch_execute("COMMIT").unwrap();
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND pid <> pg_backend_pid() AND state <> 'idle'";
    eventually("the guard is answered", async || (app.db.scalar::<i64>(busy) == 0).then_some(())).await;
    app.db.execute("DELETE FROM pending_logins");
    let before = app.dump();
    assert!(held.finish().is_sent_to("/login"));
    assert_eq!(app.dump(), before);
    assert_eq!(app.events("second-factor-refused"), 0);
}
