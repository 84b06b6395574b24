//! A user with an authenticator app and many recovery codes, each of which is used twice at the same time.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use data_encoding::HEXLOWER;
use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join;
use latchkey::secret;
use reqwest::Method;
use uuid::Uuid;

use super::harness::Harness;
use super::outcome::Outcome;
use super::rows;
use super::side_jobs::fill_in;
use crate::history::actors::{PASSWORD, World};
use crate::history::record::Done;
use crate::support::authenticator_app::AuthenticatorApp;

/// One of the users with links. A run ends before it reaches this user.
pub const OWNER: &str = "link298@example.org";

const CODES: usize = 200;

/// The label that recovery codes are hashed with, as in the stored rows.
const LABEL: &[u8] = b"latchkey recovery code";

pub struct Codes {
    pub authenticator: AuthenticatorApp,
    codes: Vec<(String, String)>,
    /// The answers to both uses.
    spent: RefCell<Vec<[Done; 2]>>,
    next: Cell<usize>,
}

pub async fn enrol(harness: &Harness) -> Codes {
    let mut browser = harness.running[0].as_ref().expect("a program").browser();
    browser.log_in(OWNER, PASSWORD).await.redirects_to("/home");
    browser.get("/account/security").await.is(200);
    let shown = browser.post("/account/totp/start", &[]).await;
    let authenticator = AuthenticatorApp::with_key(&shown.is(200).text("#key .code").expect("a key"));
    let code = authenticator.code(step(harness));
    browser.post("/account/totp/finish", &[("code", &code)]).await.is(200);
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    let id = rows(&mut conn, &format!("SELECT id::text FROM users WHERE email = '{OWNER}'")).remove(0);
    let user = Uuid::parse_str(&id).expect("an id");
    let mut codes = Vec::new();
    let mut statements = String::new();
    for number in 0..CODES {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| char::from(letters[digit]));
        let code: String = digits.into_iter().chain("Q".repeat(23).chars()).collect();
        let hash = secret::sha256(&[LABEL, user.as_bytes(), code.as_bytes()].concat());
        let hash = HEXLOWER.encode(&hash);
        statements += &format!(
            "INSERT INTO recovery_codes (code_hash, user_id, created_at) VALUES ('\\x{hash}', '{id}', now());"
        );
        codes.push((code, hash));
    }
    conn.batch_execute(&statements).expect("codes");
    Codes { authenticator, codes, spent: RefCell::default(), next: Cell::new(0) }
}

/// The current time step by the database's clock.
pub fn step(harness: &Harness) -> i64 {
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    let step =
        rows(&mut conn, "SELECT floor(extract(epoch FROM clock_timestamp()) / 30)::bigint::text").remove(0);
    step.parse().expect("a number")
}

/// A browser with a pending log-in: its cookies, and the token of the page that asks for a code.
pub async fn pending(world: &World, origin: &str) -> Option<(String, String)> {
    let fields = [("email", OWNER), ("password", PASSWORD)];
    let reply = fill_in(world, origin, "/login", &fields).await?;
    if !reply.leads_to("/login/second-factor") {
        return None;
    }
    let cookies = reply.all_cookies();
    let page = world.wire.get(&format!("{origin}/login/second-factor"), &cookies).await;
    Some((format!("{cookies}; {}", page.all_cookies()), page.token()?))
}

/// Uses one code after another, each twice at the same time, until the end.
pub async fn spend(world: Rc<World>, codes: Rc<Codes>) {
    while !world.over.get() && codes.next.get() < CODES {
        let number = codes.next.get();
        let origin = world.origins[number % world.origins.len()].clone();
        let pair = join(pending(&world, &origin), pending(&world, &origin)).await;
        let (Some((one, token)), Some((two, other))) = pair else {
            sleep(Duration::from_millis(40)).await;
            continue;
        };
        let url = format!("{origin}/login/second-factor");
        let code = codes.codes[number].0.as_str();
        let first = [("code", code), ("csrf_token", token.as_str())];
        let second = [("code", code), ("csrf_token", other.as_str())];
        let (one, two) = join(
            world.wire.send(Method::POST, &url, &one, "side-job", &first),
            world.wire.send(Method::POST, &url, &two, "side-job", &second),
        )
        .await;
        codes.spent.borrow_mut().push([one.done("/home"), two.done("/home")]);
        codes.next.set(number + 1);
        sleep(Duration::from_millis(30)).await;
    }
}

impl Codes {
    pub fn judge(&self, conn: &mut PgConnection, outcome: &mut Outcome) {
        let left: HashSet<String> =
            rows(conn, "SELECT encode(code_hash, 'hex') FROM recovery_codes").into_iter().collect();
        let mut gone = 0;
        let mut yes = 0;
        for ((code, hash), told) in self.codes.iter().zip(self.spent.borrow().iter()) {
            let times = told.iter().filter(|done| **done == Done::Yes).count();
            if times > 1 {
                outcome.wrong.push(format!("the code {code} let two in"));
            }
            if times == 1 && left.contains(hash) {
                outcome.lost.push(format!("that the code {code} is spent"));
            }
            yes += times;
            gone += usize::from(!left.contains(hash));
        }
        for (what, query) in [
            ("lines of the trail", "SELECT id::text FROM audit_events WHERE act = 'recovery-code-used'"),
            ("sessions", "SELECT handle::text FROM sessions WHERE factor = 'password+recovery-code'"),
        ] {
            let there = rows(conn, query).len();
            if there != gone {
                outcome.wrong.push(format!("{gone} codes are spent, and there are {there} {what}"));
            }
        }
        outcome.load += &format!(", {yes} codes");
    }
}
