//! Side jobs during a fault: visitors register, and use one-time links, always two at a time. Every answer is
//! recorded and compared with the rows afterwards.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use data_encoding::HEXLOWER;
use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join;
use latchkey::secret::Token;
use reqwest::Method;

use super::outcome::Outcome;
use super::rows;
use crate::history::actors::World;
use crate::history::record::Done;
use crate::history::wire::Reply;

/// More links than one run uses.
const LINKS: usize = 300;

/// The last users are reserved for other parts of the tests.
const OTHERS: usize = 20;

pub const NEW_PASSWORD: &str = "analytical-engine-1837";

#[derive(Default)]
pub struct Ledger {
    pub registered: RefCell<Vec<(String, Done)>>,
    /// For each link in turn, both answers.
    pub resets: RefCell<Vec<[Done; 2]>>,
    tokens: RefCell<Vec<String>>,
    next: Cell<usize>,
}

/// Creates users with a reset link each.
pub fn hand_out_links(conn: &mut PgConnection, ledger: &Ledger) {
    let mut statements = String::new();
    for number in 0..LINKS {
        let token = Token::generate().expect("randomness");
        let hash = HEXLOWER.encode(&token.hash());
        let email = owner(number);
        statements += &format!(
            "WITH u AS (INSERT INTO users (id, email, email_key, name, role, password_hash) \
             SELECT gen_random_uuid(), '{email}', '{email}', 'Lin', 'member', password_hash FROM users LIMIT 1 RETURNING id) \
             INSERT INTO user_tokens (token_hash, user_id, purpose, created_at, expires_at) \
             SELECT '\\x{hash}', id, 'reset_password', now(), now() + interval '1 day' FROM u;"
        );
        ledger.tokens.borrow_mut().push(token.reveal().to_owned());
    }
    conn.batch_execute(&statements).expect("links");
}

fn owner(number: usize) -> String {
    format!("link{number}@example.org")
}

/// Registers one visitor after another until the end.
pub async fn register(world: Rc<World>, ledger: Rc<Ledger>) {
    while !world.over.get() {
        let number = ledger.registered.borrow().len();
        let email = format!("new{number}@example.org");
        ledger.registered.borrow_mut().push((email.clone(), Done::Unknown));
        let origin = world.origins[number % world.origins.len()].clone();
        let fields =
            [("name", "Nia"), ("email", &email), ("password", "difference-engine-1822"), ("invite", "")];
        let done = match fill_in(&world, &origin, "/register", &fields).await {
            Some(reply) => {
                expect(&world, "POST /register", &reply, &[303]);
                reply.done("/register/check-email")
            }
            None => Done::No,
        };
        ledger.registered.borrow_mut()[number].1 = done;
        sleep(Duration::from_millis(40)).await;
    }
}

/// Uses one link after another, each twice at the same time, until the end.
pub async fn reset(world: Rc<World>, ledger: Rc<Ledger>) {
    while !world.over.get() && ledger.next.get() < LINKS - OTHERS {
        let number = ledger.next.get();
        let token = ledger.tokens.borrow()[number].clone();
        let there = |which: usize| world.origins[(number + which) % world.origins.len()].clone();
        let fields = [("token", token.as_str()), ("password", NEW_PASSWORD)];
        let (one, two) = (there(0), there(1));
        let (one, two) = join(
            fill_in(&world, &one, "/reset-password", &fields),
            fill_in(&world, &two, "/reset-password", &fields),
        )
        .await;
        let told = [one, two].map(|reply| {
            let Some(reply) = reply else { return Done::No };
            expect(&world, "POST /reset-password", &reply, &[303, 410, 422]);
            reply.done("/login")
        });
        // Neither request reached the program, so the link is used again.
        if told == [Done::No, Done::No] {
            sleep(Duration::from_millis(40)).await;
            continue;
        }
        ledger.resets.borrow_mut().push(told);
        ledger.next.set(number + 1);
        sleep(Duration::from_millis(40)).await;
    }
}

impl Ledger {
    /// Uses the link and returns the status without recording it.
    pub async fn use_link(&self, world: &World, number: usize) -> Option<u16> {
        let token = self.tokens.borrow()[number].clone();
        let fields = [("token", token.as_str()), ("password", NEW_PASSWORD)];
        fill_in(world, &world.origins[0].clone(), "/reset-password", &fields).await?.status
    }
}

/// `None` if the page with the form could not be loaded.
pub async fn fill_in(world: &World, origin: &str, path: &str, fields: &[(&str, &str)]) -> Option<Reply> {
    let page = world.wire.get(&format!("{origin}/login"), "").await;
    let (token, nonce) = (page.token()?, page.cookie("latchkey-form")?);
    let mut fields = fields.to_vec();
    fields.push(("csrf_token", &token));
    Some(world.wire.send(Method::POST, &format!("{origin}{path}"), &nonce, "side-job", &fields).await)
}

fn expect(world: &World, what: &str, reply: &Reply, expected: &[u16]) {
    if !reply.is_nothing() && reply.status.is_some_and(|status| !expected.contains(&status)) {
        world.history.borrow_mut().unexpected.push(format!("{what}: {:?}", reply.status));
    }
}

/// Compares the answers with the rows when no request is running any more.
pub fn judge(conn: &mut PgConnection, ledger: &Ledger, outcome: &mut Outcome) {
    let waiting: HashSet<String> = rows(conn, "SELECT email_key FROM registrations").into_iter().collect();
    let written: HashSet<String> =
        rows(conn, "SELECT recipient FROM outbox WHERE recipient LIKE 'new%'").into_iter().collect();
    for (email, done) in ledger.registered.borrow().iter() {
        if *done == Done::Yes && !waiting.contains(email) {
            outcome.lost.push(format!("the registration of {email}"));
        }
        if waiting.contains(email) != written.contains(email) {
            outcome.wrong.push(format!("half a registration of {email}"));
        }
    }
    let left: HashSet<String> =
        rows(conn, "SELECT email FROM user_tokens JOIN users ON users.id = user_id").into_iter().collect();
    let reset: Vec<String> = rows(
        conn,
        "SELECT email FROM audit_events JOIN users ON users.id = subject WHERE act = 'password-reset'",
    );
    let changed: HashSet<String> = rows(
        conn,
        "SELECT email FROM users WHERE email LIKE 'link%' AND password_hash <> (SELECT password_hash FROM users WHERE email = 'p0@example.org')",
    )
    .into_iter()
    .collect();
    for (number, told) in ledger.resets.borrow().iter().enumerate() {
        let email = owner(number);
        let yes = told.iter().filter(|done| **done == Done::Yes).count();
        let times = reset.iter().filter(|who| **who == email).count();
        if yes > 1 || times > 1 {
            outcome.wrong.push(format!("the link of {email} was spent {} times", yes.max(times)));
        }
        if yes > times {
            outcome.lost.push(format!("the new password of {email}"));
        }
        if left.contains(&email) == (times == 1) || changed.contains(&email) != (times == 1) {
            outcome.wrong.push(format!("half a new password of {email}"));
        }
    }
}
