//! The log of the real program: the fields of its lines, and the secrets that no line may contain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use latchkey::apps::{Access, AppOrigin, Rule};
use latchkey::identity::Client;
use nix::sys::signal::{Signal, kill};
use reqwest::Method;
use serde_json::Value;

use crate::passkeys::{add, prove};
use crate::serve::{PASSWORD, set_up, setup_path, token};
use crate::streams::client::RawClient;
use crate::streams::support::LastingApp;
use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;
use crate::support::browser::Browser;
use crate::support::process::{DataDir, Latchkey, eventually, free_port};
use crate::support::subjects;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The output of a process, and the texts that it must not contain.
struct Heard {
    lines: Vec<Value>,
    secrets: BTreeSet<String>,
}

impl Heard {
    fn new(lines: &[String], secrets: BTreeSet<String>) -> Self {
        let read =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { lines: lines.iter().map(read).collect(), secrets }
    }

    /// The first line with this message.
    #[track_caller]
    fn line(&self, message: &str) -> &Value {
        self.lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no {message:?}"))
    }

    fn served(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line["message"] == "served")
    }

    fn is_whole(&self) {
        for line in &self.lines {
            assert!(["INFO", "WARN", "ERROR"].iter().any(|level| line["level"] == *level), "{line}");
            for key in ["timestamp", "level", "message"] {
                assert!(line[key].is_string(), "no {key}: {line}");
            }
        }
        for line in self.served() {
            assert!(line["span"]["id"].as_str().is_some_and(|id| id.len() == 12), "{line}");
            let by = ["session", "token"].iter().filter(|name| line[name].is_string()).count();
            assert_eq!(by, usize::from(line["principal"].is_string()), "{line}");
        }
        assert!(self.served().count() > 5);
    }

    /// The one exception is the setup link, which the operator needs.
    fn tells_nothing(&self) {
        for line in self.lines.iter().filter(|line| line.get("link").is_none()) {
            let text = line.to_string();
            for secret in &self.secrets {
                assert!(!text.contains(secret.as_str()), "{secret:?} in {text}");
            }
            assert!(!text.contains('@'), "an address in {text}");
        }
    }
}

/// The cookies of a browser with their contents, and the token of the current form.
fn held_by(browser: &Browser) -> Vec<String> {
    let keys = browser.cookies.values().map(|value| value.split('.').next().unwrap_or(value).to_owned());
    let whole = browser.cookies.values().chain([&browser.token]).cloned();
    keys.chain(whole).filter(|value| value.len() > 8).collect()
}

/// An administrator sets the server up; a visitor registers, logs in, asks for an unknown page, ends another session
/// and resets the password; then the database goes away.
async fn people_come_and_go() -> Heard {
    let dir = DataDir::new();
    let mut latchkey =
        // RUST_LOG is not read.
        Latchkey::local(&dir)
            .with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s")
            .with("RUST_LOG", "trace")
            .serve_ready()
            .await;
    let path = setup_path(&latchkey).await;
    let mut browser = latchkey.browser();
    let words = [PASSWORD, "poetical-science-1843", "analytical-engine-1837", "not-the-password-at-all"];
    let mut secrets: BTreeSet<String> = words.map(str::to_owned).into();
    secrets.extend(["Grace Hopper", "Lovelace", "grace%40", "ada%40", "who-is-asked-for"].map(str::to_owned));
    set_up(&mut browser, &path, "grace@example.org").await;

    let person =
        [("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", "poetical-science-1843")];
    browser.fill_in("/register", &person).await.redirects_to("/register/check-email");
    let verify = newest_link(&mut browser).await;
    browser.fill_in(&verify, &[("token", token(&verify))]).await.redirects_to("/login");
    browser.log_in("ada@example.org", "not-the-password-at-all").await.is(422);
    secrets.extend(held_by(&browser));
    browser.log_in("ada@example.org", "poetical-science-1843").await.redirects_to("/home");
    secrets.extend(held_by(&browser));
    let mut phone = latchkey.browser();
    phone.log_in("ada@example.org", "poetical-science-1843").await.redirects_to("/home");
    secrets.extend(held_by(&phone));
    browser.get("/account/sessions").await.is(200);
    browser.post("/account/sessions/revoke-others", &[]).await.is(303);
    phone.get("/home?next=who-is-asked-for").await.is(303);
    browser.post_bare("/account/profile", &[("name", "Eve")]).await.is(403);
    browser.post("/logout", &[]).await.is(303);
    browser.fill_in("/forgot-password", &[("email", "ada@example.org")]).await.is(303);
    let reset = newest_link(&mut browser).await;
    let fields = [("token", token(&reset)), ("password", "analytical-engine-1837")];
    browser.fill_in(&reset, &fields).await.redirects_to("/login");
    browser.log_in("ada@example.org", "analytical-engine-1837").await.redirects_to("/home");
    browser.get("/nowhere?email=ada@example.org&token=who-is-asked-for").await.is(404);
    browser.get("/admin/users?q=who-is-asked-for").await.is(403);
    browser.send(browser.request(Method::GET, "/%00ada@example.org")).await;
    secrets.extend(held_by(&browser));
    secrets.extend([verify, reset, path].iter().map(|link| token(link).to_owned()));

    kill(dir.postgres().expect("a database"), Signal::SIGKILL).unwrap();
    let gone = async || (browser.copy().get("/account/activity").await.status == 503).then_some(());
    eventually("a fault", gone).await;
    browser.log_in("ada@example.org", "analytical-engine-1837").await;
    let lines = latchkey.stop(Signal::SIGTERM).await;
    assert!(!dir.read("postgres.log").contains('@'), "{}", dir.read("postgres.log"));
    Heard::new(&lines, secrets)
}

/// An email that cannot be delivered, a hash that cannot be read, expired rows, and a proxy that sends a `traceparent`.
async fn errands_fail() -> (Heard, String) {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.db.execute(&format!("UPDATE users SET password_hash = 'cracked' WHERE id = '{}'", grace.id));
    app.db.execute("UPDATE sessions SET expires_at = now() - interval '60 days', revoked_at = now() - interval '60 days'");
    let mail = format!("smtp://mail-name:mail-password@127.0.0.1:{}", free_port());
    let mut running = Latchkey::on(&app.db.url()).with("LATCHKEY__MAIL__SMTP_URL", mail).serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(grace.email, grace.password).await.is(422);
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    running.logged("mail was not delivered").await;
    running.logged("deleted expired rows").await;
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    // Errors of passkeys have the text of a library, which also writes its own log lines.
    let mut device = Authenticator::new(&running.origin);
    add(&mut browser, &mut device).await.is(200);
    let forger = Authenticator { id: device.id.clone(), ..device.clone() };
    let bent = [
        Authenticator { key: Authenticator::new(&running.origin).key, ..forger.clone() },
        Authenticator { origin: "https://evil.example".into(), ..forger.clone() },
        Authenticator { site: "evil.example".into(), ..forger.clone() },
        Authenticator { verifies: false, ..forger },
    ];
    for mut device in bent {
        prove(&mut running.browser(), &mut device).await.is(422);
    }
    running.logged("refused a passkey").await;
    browser.headers.push(("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01")));
    let answer = browser.get("/home").await;
    answer.is(200).does_not_say(TRACE);
    assert!(!format!("{:?}", answer.headers).contains(TRACE));
    browser.headers.pop();
    browser.headers.push(("traceparent", format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase())));
    browser.get("/home").await.is(200);
    let mut secrets: BTreeSet<String> = [ada.email, ada.password, grace.email, grace.password, ada.name]
        .map(str::to_owned)
        .into_iter()
        .chain(["mail-name", "mail-password", "cracked", "only-for-tests"].map(str::to_owned))
        .collect();
    secrets.extend(held_by(&browser));
    secrets.extend([reset.token(), BASE64URL_NOPAD.encode(&device.id), "evil.example".into()]);
    let lines = running.stop(Signal::SIGTERM).await;
    (Heard::new(&lines, secrets), ada.id.to_string())
}

/// A program sends requests with an access token to an app, in every way that is admitted and in some that are not, until
/// the token is revoked.
async fn a_program_opens_an_app() -> (Heard, String) {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let listener = free_port();
    let program = Latchkey::on(&app.db.url()).with("LATCHKEY__FRONT__PORT", listener);
    let mut running = program.with("LATCHKEY__REGISTRATION", "invite").serve_ready().await;
    let lasting = LastingApp::register(&app, |wiki| {
        let port = running.origin.rsplit(':').next().expect("a port");
        wiki.origins = vec![AppOrigin::parse(&format!("http://wiki.localhost:{port}")).expect("an origin")];
        wiki.rules = vec![Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) }];
    })
    .await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let (text, id) = (token.text.reveal(), token.record.id);
    let basic = BASE64.encode(format!("{}:{text}", ada.email).as_bytes());
    let origin = running.origin.replace("//localhost", "//wiki.localhost");
    let browser = running.browser();
    let send = |line: &str, value: &str| {
        RawClient::send(&origin, &browser, line, &format!("authorization: {value}\r\n")).reading()
    };
    for value in [format!("Token {text}"), format!("Bearer {}", &text[..45]), format!("Bearer {text}x")] {
        send("GET /events", &value).answered(401).await;
    }
    send("GET /events", &format!("Basic {basic}")).answered(200).await;
    let events = send("GET /events", &format!("Bearer {text}"));
    events.answered(200).await;
    app.accounts.tokens.revoke(None, id, Client::operator()).await.expect("a database");
    events.ended().await;
    lasting.has_lost(1).await;
    running.logged("stream closed").await;
    send("GET /events", &format!("Bearer {text}")).answered(401).await;
    let elsewhere = running.origin.replace("//localhost", "//nothing.localhost");
    let nowhere = RawClient::send(&elsewhere, &browser, "GET /", "").reading();
    nowhere.answered(421).await;
    // A proxy that describes no request.
    let asks = format!("http://127.0.0.1:{listener}");
    RawClient::send(&asks, &browser, "GET /decide/forward/wiki", "").reading().answered(403).await;
    let mut secrets: BTreeSet<String> = [ada.email, ada.name, &text[3..40], &basic].map(str::to_owned).into();
    secrets.insert("lk_".to_owned());
    let lines = running.stop(Signal::SIGTERM).await;
    (Heard::new(&lines, secrets), id.to_string())
}

#[actix_web::test]
async fn every_line_is_json_with_the_fields_that_are_documented_and_nothing_secret_or_personal() {
    let (walked, (failed, ada)) = (people_come_and_go().await, errands_fail().await);
    let (by_token, token) = a_program_opens_an_app().await;
    for heard in [&walked, &failed, &by_token] {
        heard.is_whole();
        heard.tells_nothing();
    }
    let closed = by_token.line("stream closed");
    assert_eq!((&closed["token"], &closed["why"]), (&token.into(), &"the access token has ended".into()));
    assert_eq!(walked.lines.iter().filter(|line| line.get("link").is_some()).count(), 1);
    walked.line("fault");
    failed.line("a stored password hash cannot be read");
    // The user and the trace of the request: once, in the only line with a valid trace.
    let decide_with_trace: Vec<&Value> =
        failed.served().filter(|line| line["span"].get("trace").is_some()).collect();
    assert_eq!(decide_with_trace.len(), 1, "{decide_with_trace:?}");
    assert_eq!(decide_with_trace[0]["span"]["trace"], TRACE);
    assert_eq!(decide_with_trace[0]["principal"], *ada);

    let (documented, rare) = documented();
    let lines = walked.lines.iter().chain(&failed.lines).chain(&by_token.lines);
    let found: BTreeSet<String> = lines.flat_map(fields).collect();
    let unknown: Vec<_> = found.difference(&documented).collect();
    assert!(unknown.is_empty(), "not in docs/observability.md: {unknown:?}");
    let never: Vec<_> = documented.difference(&found).filter(|field| !rare.contains(*field)).collect();
    assert!(never.is_empty(), "documented and in no line: {never:?}");
    let common: Vec<_> = rare.intersection(&found).collect();
    assert!(common.is_empty(), "not rare: {common:?}");
}

/// The names of a line's fields; nested ones with a dot.
fn fields(line: &Value) -> Vec<String> {
    let named = |(name, value): (&String, &Value)| match value.as_object() {
        Some(inner) => inner.keys().map(|key| format!("{name}.{key}")).collect(),
        None => vec![name.clone()],
    };
    line.as_object().expect("an object").iter().flat_map(named).collect()
}

/// The documented fields, without those that a test cannot cause.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, list) = page.split_once("<!-- fields -->\n").expect("a list");
    let (list, _) = list.split_once("<!-- /fields -->").expect("its end");
    let (mut all, mut rare) = (BTreeSet::new(), BTreeSet::new());
    for row in list.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (cell, tells) = row.split_once(" |").expect("two cells");
        let cell = format!("`{cell}");
        for field in cell.split('`').skip(1).step_by(2) {
            all.insert(field.to_owned());
            if tells.contains("(rare)") {
                rare.insert(field.to_owned());
            }
        }
    }
    assert!(all.len() > 20, "{all:?}");
    (all, rare)
}

/// The path of the link in the newest email of local mode's mailbox.
async fn newest_link(browser: &mut Browser) -> String {
    let mail = browser.get("/dev/mailbox").await.attribute("a[href^='/dev/mailbox/']", "href").unwrap();
    let link = browser.get(&mail).await.attribute("a[href*='token=']", "href").unwrap();
    link[link.match_indices('/').nth(2).unwrap().0..].to_owned()
}
