//! The doctor's question in a request that a proxy asks about.

use std::collections::BTreeMap;

use latchkey::secret::Secret;
use latchkey::web::ops::app_question::{AppQuestion, DoctorUser, PassedOn, Pretend, verified_answer};

use super::support::{FLAVOURS, Proxy, spawn};
use crate::front::support::wiki;
use crate::support::app::TestApp;

/// That of the tests.
fn secret() -> Secret {
    Secret::parse("only-for-tests-0123456789-abcdefghijkl").expect("a secret")
}

struct Asking {
    proxy: Proxy,
    origin: String,
}

impl Asking {
    async fn start(app: &TestApp, flavour: &'static str) -> Self {
        let wiki = wiki(app).await;
        Self { proxy: Proxy::new(app, &wiki, flavour), origin: wiki.origin.clone() }
    }

    fn question(&self, target: Option<&str>, pretend: Pretend) -> String {
        let asked = AppQuestion { method: "GET", origin: &self.origin, target, pretend };
        asked.sign(&secret()).expect("random bytes")
    }

    /// Asks about a GET request of a visitor with this question.
    async fn ask(&mut self, target: &str, question: &str) -> crate::support::browser::Answer {
        let mut headers = self.proxy.family("GET", target);
        headers.push(("x-latchkey-doctor", question.to_owned()));
        self.proxy.ask_with(headers, &BTreeMap::new(), "GET", target).await
    }
}

#[actix_web::test]
async fn a_question_lets_the_doctors_user_in_at_the_echo_alone() {
    let app = spawn();
    let mut asking = Asking::start(&app, FLAVOURS[0]).await;
    for flavour in FLAVOURS {
        asking.proxy.flavour = flavour;
        let anywhere = asking.question(None, Pretend::Nothing);
        for target in ["/.latchkey/echo", "/.latchkey/echo?x=1", "/.latchkey/echo/a"] {
            let answer = asking.ask(target, &anywhere).await;
            assert_eq!(answer.is(200).header("remote-user"), Some(DoctorUser::ID), "{flavour} {target}");
        }
        for target in ["/", "/.latchkey/echoes", "/.latchkey/doctor", "/a/.latchkey/echo"] {
            asking.ask(target, &anywhere).await.is(401);
        }
        let alone = asking.question(None, Pretend::NoGroups);
        assert_eq!(asking.ask("/.latchkey/echo", &alone).await.is(200).header("remote-groups"), Some(""));
        // For another target, and changed.
        let elsewhere = asking.question(Some("/.latchkey/echo?y"), Pretend::Nothing);
        for question in [elsewhere.as_str(), &anywhere.replace("..", ".close."), "1.once..signature", ""] {
            asking.ask("/.latchkey/echo", question).await.is(401);
        }
        for (pretend, status) in [(Pretend::Refuse, 403), (Pretend::Unavailable, 503)] {
            let question = asking.question(Some("/"), pretend);
            asking.ask("/", &question).await.is(status);
        }
    }
}

#[actix_web::test]
async fn the_echo_answers_with_what_was_asked_and_what_arrived() {
    let app = spawn();
    let mut asking = Asking::start(&app, "forward").await;
    let question = asking.question(None, Pretend::Nothing);
    let decided = asking.ask("/.latchkey/echo?x=1", &question).await;
    let name = decided.is(200).header("remote-name").expect("a name").to_owned();
    let host = asking.proxy.host.clone();
    let none = BTreeMap::new();
    let mut passed_on =
        vec![("host", host.clone()), ("remote-name", name.clone()), ("remote_user", "x".into())];
    let answer = asking.proxy.send("GET", "/app/wiki/echo/a//b?x=1", passed_on.clone(), &none).await;
    let seen = verified_answer(&secret(), &question, answer.is(200).body.as_bytes()).expect("an answer");
    assert_eq!(seen.arrived.target, "/.latchkey/echo?x=1");
    assert_eq!(seen.arrived.seen.client.map(|client| client.to_string()), Some(asking.proxy.client.clone()));
    let PassedOn::Request { target, headers, .. } = seen.passed_on else { panic!("nothing") };
    assert_eq!(target, "/.latchkey/echo/a//b?x=1");
    let has = |name: &str, value: &str| headers.iter().any(|(known, text)| known == name && text == value);
    assert!(
        has("remote_user", "x") && has("remote-name", "D%C3%B6ctor 100 %25%2C of Latchkey"),
        "{headers:?}"
    );
    assert_eq!(seen.decision.map(|decision| decision.flavour).as_deref(), Some("forward"));

    // Envoy takes a success for an open websocket.
    passed_on.push(("upgrade", "websocket".to_owned()));
    asking.proxy.send("GET", "/app/wiki/echo", passed_on, &none).await.is(400);

    // A name that is not ours answers nothing.
    let changed = name.replace("Latchkey ", "Latchkey x");
    let passed_on = vec![("host", host), ("remote-name", changed)];
    asking.proxy.send("GET", "/app/wiki/echo", passed_on, &none).await.is(404);
}
