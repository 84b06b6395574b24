//! Mail to a real SMTP server: every email arrives, exactly once if nothing crashes, and no request waits for it.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use latchkey::config::{Settings, Transport};
use latchkey::db::{Db, Fault};
use latchkey::mail::{MailBody, MailContent, Mailer};
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, eventually, free_port};
use crate::support::subjects;

#[actix_web::test]
async fn a_letter_arrives_in_both_forms_and_the_outbox_forgets_what_was_in_it() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    let mut browser = app.browser();
    register(&mut browser, "ada@example.org").await;
    assert_eq!(deliver(&app).await, 1);

    let letter = server.letter().await;
    assert_eq!(letter.sender, "no-reply@localhost");
    assert_eq!(letter.recipients, ["ada@example.org"]);
    assert_eq!(letter.headers("from"), ["Latchkey <no-reply@localhost>"]);
    assert_eq!(letter.headers("to"), ["ada@example.org"]);
    assert_eq!(letter.headers("subject"), [subjects::VERIFY_EMAIL]);
    assert_eq!((letter.headers("date").len(), letter.headers("message-id").len()), (1, 1));
    assert_eq!(letter.headers("auto-submitted"), ["auto-generated"]);
    assert_eq!(letter.kind, "multipart/alternative");
    let [(text, plain), (html, rich)] = &letter.parts[..] else { panic!("{:?}", letter.parts) };
    assert_eq!((text.as_str(), html.as_str()), ("text/plain", "text/html"));
    let link = link(plain, &app);
    assert!(
        [plain, rich].iter().all(|text| text.contains("works once and expires in 24 hours")),
        "{plain}{rich}"
    );
    assert!(rich.contains(&format!("{}{link}", app.origin)), "{rich}");

    assert!(app.db.scalar::<bool>("SELECT sent_at IS NOT NULL AND sealed_body IS NULL FROM outbox"));
    assert_eq!(deliver(&app).await, 0);
    assert_eq!(server.count(), 1);
    let token = link.rsplit_once('=').unwrap().1;
    browser.fill_in(&link, &[("token", token)]).await.redirects_to("/login");
}

#[actix_web::test]
async fn while_a_letter_waits_the_table_holds_nothing_that_opens_an_account() {
    let app = TestApp::spawn_with(|settings| through(settings, free_port()));
    register(&mut app.browser(), "ada@example.org").await;
    let row: String = app.db.scalar("SELECT outbox::text || encode(sealed_body, 'escape') FROM outbox");
    for words in ["http", "verify-email", "token", "Lovelace", "Hello"] {
        assert!(!row.contains(words), "{words} in {row}");
    }
    assert!(app.db.scalar::<bool>("SELECT length(sealed_body) > 500 FROM outbox"));
}

#[actix_web::test]
async fn while_the_server_is_down_people_get_the_same_answers_and_letters_are_tried_again_less_and_less_often()
 {
    let port = free_port();
    let app = TestApp::spawn_with(|settings| through(settings, port));
    app.ada().await;
    // For a new address, a known one and a reset, no response shows that mail is down.
    let fresh = register(&mut app.browser(), "new@example.org").await;
    let known = register(&mut app.browser(), "ada@example.org").await;
    assert_eq!(fresh.body, known.body);
    let reset = app.browser().fill_in("/forgot-password", &[("email", "ada@example.org")]).await;
    reset.redirects_to("/forgot-password/sent");

    app.db.execute("DELETE FROM outbox WHERE recipient <> 'new@example.org'");
    for (attempt, wait) in [(1, 15), (2, 30), (3, 60), (4, 120)] {
        assert_eq!(deliver(&app).await, 1);
        let (attempts, due) = (app.db.scalar::<i64>("SELECT attempts::bigint FROM outbox"), due_in(&app.db));
        assert_eq!(attempts, attempt);
        assert!(due > wait - 10 && due <= wait, "{due} s after attempt {attempt}");
        assert_eq!(deliver(&app).await, 0);
        app.db.execute("UPDATE outbox SET next_attempt_at = now()");
    }
    assert!(app.db.scalar::<String>("SELECT last_error FROM outbox").contains("onnection"));

    let server = MailServer::start_on(port);
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(server.letter().await.recipients, ["new@example.org"]);
}

#[actix_web::test]
async fn a_refused_recipient_does_not_stop_other_mail_and_stays_out_of_the_log() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    register(&mut app.browser(), "refused@example.org").await;
    register(&mut app.browser(), "ada@example.org").await;
    while deliver(&app).await > 0 {}
    assert_eq!(server.letter().await.recipients, ["ada@example.org"]);
    // The stored reason equals the logged one.
    let error: String = app.db.scalar("SELECT last_error FROM outbox WHERE sent_at IS NULL");
    assert!(error.contains("Recipient address rejected") && !error.contains('@'), "{error}");
}

#[actix_web::test]
async fn a_mailbox_that_does_not_exist_is_asked_for_once_and_all_other_refusals_are_tried_again() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    for who in ["refused", "full", "policy", "plain", "grey"] {
        register(&mut app.browser(), &format!("{who}@example.org")).await;
    }
    while deliver(&app).await > 0 {}
    let waiting = "SELECT string_agg(split_part(recipient, '@', 1), ' ' ORDER BY recipient) FROM outbox \
                   WHERE sealed_body IS NOT NULL AND last_error IS NOT NULL";
    assert_eq!(app.db.scalar::<String>(waiting), "full grey plain policy");
    app.db.execute("UPDATE outbox SET next_attempt_at = now()");
    while deliver(&app).await > 0 {}
    let attempts = "SELECT string_agg(attempts::text, ' ' ORDER BY recipient) FROM outbox";
    assert_eq!(app.db.scalar::<String>(attempts), "2 2 2 2 1");
    // The text of a failed email, with its link, was erased.
    let given_up =
        "SELECT sent_at IS NULL AND sealed_body IS NULL FROM outbox WHERE recipient LIKE 'refused%'";
    assert!(app.db.scalar::<bool>(given_up));
    // Greylisting ends with the second attempt.
    assert_eq!(server.letter().await.recipients, ["grey@example.org"]);
}

#[actix_web::test]
async fn a_domain_is_written_in_ascii_for_servers_that_know_nothing_else() {
    let server = MailServer::spawn(&["--ascii"]);
    let app = TestApp::spawn_with(|settings| {
        through(settings, server.port);
        settings.mail.from = "Latchkey <no-reply@b\u{fc}cher.example>".into();
    });
    register(&mut app.browser(), "ada@B\u{fc}cher.example").await;
    while deliver(&app).await > 0 {}
    let letter = server.letter().await;
    assert_eq!(letter.sender, "no-reply@xn--bcher-kva.example");
    assert_eq!(letter.recipients, ["ada@xn--bcher-kva.example"]);
    assert_eq!(letter.headers("to"), ["ada@xn--bcher-kva.example"]);
    assert_eq!(letter.headers("from"), ["Latchkey <no-reply@xn--bcher-kva.example>"]);
    assert!(letter.headers("message-id")[0].ends_with("@xn--bcher-kva.example>"));
    // An address whose local part is not ASCII needs SMTPUTF8, which this server never supports.
    app.db.execute("UPDATE outbox SET recipient = 'jos\u{e9}@example.org', sent_at = NULL");
    register(&mut app.browser(), "eve@example.org").await;
    app.db.execute(
        "UPDATE outbox SET recipient = 'jos\u{e9}@example.org', created_at = now() - interval '1 hour' \
         WHERE recipient = 'eve@example.org'",
    );
    register(&mut app.browser(), "carl@example.org").await;
    while deliver(&app).await > 0 {}
    assert_eq!(server.count(), 2);
    let given_up = "SELECT sealed_body IS NULL AND last_error LIKE '%SMTPUTF8%' FROM outbox \
                    WHERE created_at < now() - interval '1 minute'";
    assert!(app.db.scalar::<bool>(given_up));
}

#[actix_web::test]
async fn a_strict_server_is_greeted_with_a_name_it_can_know() {
    let server = MailServer::start();
    let db = TestDb::new();
    let greeted = async |latchkey: Latchkey, as_: &str, number: usize| {
        let latchkey = latchkey.with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", server.port));
        let running = latchkey.serve_ready().await;
        register(&mut running.browser(), &format!("ada{number}@example.org")).await;
        let letter = eventually("a letter", async || server.letters().into_iter().nth(number)).await;
        assert_eq!(letter.greeting, as_);
    };
    greeted(Latchkey::on(&db.url()), "[127.0.0.1]", 0).await;
    let sender = Latchkey::on(&db.url()).with("LATCHKEY__MAIL__FROM", "Id <id@example.net>");
    greeted(sender.clone(), "example.net", 1).await;
    greeted(sender.with("LATCHKEY__MAIL__EHLO", "relay-7.example.org"), "relay-7.example.org", 2).await;
}

#[actix_web::test]
async fn a_letter_whose_time_is_over_is_never_sent_and_its_body_is_wiped() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    register(&mut app.browser(), "ada@example.org").await;
    app.db.execute("UPDATE outbox SET expires_at = now() - interval '1 second'");
    register(&mut app.browser(), "eve@example.org").await;
    while deliver(&app).await > 0 {}
    assert_eq!(server.letter().await.recipients, ["eve@example.org"]);
    assert_eq!(server.count(), 1);
    let wiped =
        "SELECT sent_at IS NULL AND sealed_body IS NULL FROM outbox WHERE recipient = 'ada@example.org'";
    assert!(app.db.scalar::<bool>(wiped));
    // An erased row is not updated again on every sweep.
    let version = "SELECT xmin::text FROM outbox WHERE recipient = 'ada@example.org'";
    let before: String = app.db.scalar(version);
    deliver(&app).await;
    assert_eq!(app.db.scalar::<String>(version), before);
    // Delivered or not, every row is deleted after a month.
    app.db.execute("UPDATE outbox SET expires_at = now() - interval '31 days'");
    deliver(&app).await;
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox"), 0);
}

#[actix_web::test]
async fn no_request_waits_for_a_silent_mail_server_and_a_crash_loses_no_email() {
    let db = TestDb::new();
    let silent = SilentServer::start();
    let latchkey = Latchkey::on(&db.url());
    let to =
        |port: u16| latchkey.clone().with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{port}"));
    let mut running = to(silent.port).serve_ready().await;
    register(&mut running.browser(), "ada@example.org").await;
    eventually("a connection to the mail server", async || (silent.waiting() == 1).then_some(())).await;
    // The delivery hangs, but requests are answered.
    register(&mut running.browser(), "eve@example.org").await;
    running.browser().get("/readyz").await.is(200);
    assert_eq!(silent.waiting(), 1);
    // The email being sent is leased to this deliverer for as long as sending may take.
    let leased = "SELECT attempts = 1 AND next_attempt_at > now() + interval '4 minutes' FROM outbox \
                  WHERE recipient = 'ada@example.org'";
    assert!(db.scalar::<bool>(leased));
    running.kill().await;

    let server = MailServer::start();
    let mut running = to(server.port).serve_ready().await;
    eventually("the other letter", async || (server.count() == 1).then_some(())).await;
    assert_eq!(server.letter().await.recipients, ["eve@example.org"]);
    assert!(db.scalar::<bool>(leased));
    running.kill().await;
    db.execute("UPDATE outbox SET next_attempt_at = now() WHERE sent_at IS NULL");
    let _running = to(server.port).serve_ready().await;
    eventually("the letter", async || (server.count() == 2).then_some(())).await;
    assert_eq!(server.letters()[1].recipients, ["ada@example.org"]);
}

#[actix_web::test]
async fn a_decoy_email_without_a_recipient_is_never_sent_or_shown() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    let mut browser = app.browser();
    browser.fill_in("/forgot-password", &[("email", "nobody@example.org")]).await.is(303);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox WHERE recipient = ''"), 1);
    assert_eq!(app.letters().await.len(), 0);
    register(&mut browser, "ada@example.org").await;
    while deliver(&app).await > 0 {}
    assert_eq!(server.letter().await.recipients, ["ada@example.org"]);
    assert_eq!(server.count(), 1);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox WHERE recipient = ''"), 0);
    let counts = app.accounts.mailer().counts();
    assert_eq!((counts.delivered.get(), counts.failed.get()), (1, 0));
}

#[actix_web::test]
async fn a_letter_goes_out_when_its_transaction_commits_and_never_if_it_does_not() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    let deliverer = spawn(app.accounts.mailer().clone().deliver_forever(app.accounts.db().clone()));
    // An email that is written and not committed yet.
    let (tell, told) = channel();
    let (commit, committed) = channel();
    let hold = move || {
        tell.send(()).unwrap();
        committed.recv().unwrap();
        Ok(())
    };
    let (db, mailer) = (app.accounts.db().clone(), app.accounts.mailer().clone());
    let held = spawn(async move { write_letter(&db, &mailer, "held@example.org", hold).await });
    eventually("a letter that is written", async || told.try_recv().ok()).await;
    // One email is rolled back and one is committed: once the second has arrived, the outbox was read in between.
    let (db, mailer) = (app.accounts.db(), app.accounts.mailer());
    assert!(write_letter(db, mailer, "undone@example.org", || Err(Fault::bug("undone"))).await.is_err());
    write_letter(db, mailer, "other@example.org", || Ok(())).await.unwrap();
    eventually("the other letter", async || (server.count() == 1).then_some(())).await;
    // The deliverer has used up every earlier wake-up; without a new one it reads the outbox after 10 s.
    commit.send(()).unwrap();
    let begun = Instant::now();
    held.await.unwrap().unwrap();
    eventually("the held letter", async || (server.count() == 2).then_some(())).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let recipients: Vec<_> = server.letters().into_iter().flat_map(|letter| letter.recipients).collect();
    assert_eq!(recipients, ["other@example.org", "held@example.org"]);
    deliverer.abort();
}

/// A transaction that writes an email and then runs `more`.
async fn write_letter(
    db: &Db,
    mailer: &Mailer,
    to: &'static str,
    more: impl FnOnce() -> Result<(), Fault> + Send + 'static,
) -> Result<(), Fault> {
    let mailer = mailer.clone();
    let body = MailBody { text: "Hello".into(), html: "<p>Hello</p>".into() };
    let letter = MailContent { subject: "Hello".into(), body };
    db.write(move |conn| {
        mailer.enqueue(conn, to, &letter, Duration::from_secs(3600))?;
        more()
    })
    .await
}

#[actix_web::test]
async fn instances_that_deliver_at_once_send_each_letter_once() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    for number in 0..6 {
        register(&mut app.browser(), &format!("person{number}@example.org")).await;
    }
    let instance = || async { while deliver(&app).await > 0 {} };
    futures_util::future::join4(instance(), instance(), instance(), instance()).await;
    let mut recipients: Vec<_> = server.letters().into_iter().flat_map(|letter| letter.recipients).collect();
    recipients.sort();
    assert_eq!(recipients, (0..6).map(|number| format!("person{number}@example.org")).collect::<Vec<_>>());
}

#[actix_web::test]
async fn nothing_people_type_becomes_a_header_or_a_recipient() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    for (name, email) in [
        ("Ada\r\nBcc: eve@example.org", "ada@example.org"),
        ("Ada", "ada@example.org\r\nBcc: eve@example.org"),
        ("Ada", "ada@example.org,eve@example.org"),
        ("Ada", "ada@example.org>\r\nRCPT TO:<eve@example.org"),
        ("Ada", "\"ada\\\"@example.org, eve\"@example.org"),
        ("Ada", "Ada <ada@example.org>"),
    ] {
        let fields = [("name", name), ("email", email), ("password", "poetical-science-1843")];
        app.browser().fill_in("/register", &fields).await.is(422);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox"), 0);

    // No name appears in an email, neither one that any user may choose nor one that every form refuses.
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for (number, name) in [
        "Grace\" <eve@example.org>, \"Bcc: eve@example.org",
        "Grüße =?utf-8?q?=0D=0ABcc:_eve?=",
        "Grace\r\nBcc: eve@example.org",
    ]
    .into_iter()
    .enumerate()
    {
        app.db.execute(&format!("UPDATE users SET name = '{name}'"));
        let to = format!("guest{number}@example.org");
        browser.fill_in("/admin/invitations", &[("email", &to)]).await.is(303);
        assert_eq!(deliver(&app).await, 1);
        let letter = eventually("an invitation", async || server.letters().into_iter().nth(number)).await;
        assert_eq!(letter.recipients, [to.as_str()]);
        assert_eq!(letter.headers("to"), [to]);
        assert_eq!(letter.headers("subject"), [subjects::INVITATION]);
        assert_eq!(letter.headers("bcc").len(), 0);
        assert!(letter.parts.iter().all(|(_, text)| !text.contains("Grace") && !text.contains("Grüße")));
        let kinds: Vec<_> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["text/plain", "text/html"]);
    }
}

#[actix_web::test]
async fn notices_arrive_as_text_and_html_and_answers_are_the_same_without_a_mail_server() {
    let server = MailServer::start();
    let app = TestApp::spawn_with(|settings| through(settings, server.port));
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.logged_in(&ada).await;
    for _ in 0..5 {
        app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    }
    browser.fill_in("/account/email", &[("email", "countess@example.org")]).await.is(303);
    while deliver(&app).await > 0 {}
    let asked = server.letters().into_iter().find(|letter| letter.recipients == ["countess@example.org"]);
    let confirm = link(&asked.expect("a letter").parts[0].1, &app);
    let token = confirm.rsplit_once('=').unwrap().1;
    app.browser().fill_in(&confirm, &[("token", token)]).await.redirects_to("/login");
    browser.get("/account/password").await.is(200);
    let fields = [("current_password", ada.password), ("password", "gravel tuba otter lemon")];
    browser.post("/account/password", &fields).await.is(303);
    while deliver(&app).await > 0 {}
    let letters = server.letters();
    for (to, subject, path) in [
        (ada.email, subjects::NEW_DEVICE, "/not-me?token="),
        (ada.email, subjects::REPEATED_FAILURES, "/unlock?token="),
        ("countess@example.org", subjects::CONFIRM_EMAIL, "/confirm-email?token="),
        (ada.email, subjects::EMAIL_CHANGE_ASKED, "/not-me?token="),
        (ada.email, subjects::EMAIL_CHANGED, "/undo-email?token="),
        ("countess@example.org", subjects::PASSWORD_CHANGED, "/not-me?token="),
    ] {
        let letter = letters.iter().find(|letter| letter.headers("subject") == [subject]).expect(subject);
        assert_eq!(letter.recipients, [to], "{subject}");
        let [(text, plain), (html, rich)] = &letter.parts[..] else { panic!("{:?}", letter.parts) };
        assert_eq!((text.as_str(), html.as_str()), ("text/plain", "text/html"));
        let link = link(plain, &app);
        assert!(link.starts_with(path), "{link}");
        assert!(rich.contains(&format!("href=\"{}{link}\"", app.origin)), "{rich}");
        assert!(plain.contains("Why you got this") && rich.contains("Why you got this"), "{plain}");
    }
    assert_eq!(letters.len(), 6);
    // Without a mail server the responses are the same.
    drop(server);
    let mut another = app.browser();
    another.log_in("countess@example.org", "gravel tuba otter lemon").await.redirects_to("/home");
    another.fill_in("/account/email", &[("email", "ada@example.org")]).await.redirects_to("/account/email");
    assert_eq!(deliver(&app).await + deliver(&app).await, 2);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox WHERE last_error IS NOT NULL"), 2);
}

#[cfg(target_os = "linux")]
#[actix_web::test]
async fn with_tls_required_letters_go_out_encrypted_to_a_server_that_can_prove_itself_and_to_no_other() {
    let dir = DataDir::new();
    let server = MailServer::spawn(&["--tls", dir.path().to_str().unwrap()]);
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url())
        .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://localhost:{}?tls=required", server.port));
    let mut running = latchkey.serve_ready().await;
    register(&mut running.browser(), "ada@example.org").await;
    let failed = "SELECT EXISTS (SELECT FROM outbox WHERE last_error ILIKE '%certificate%')";
    eventually("distrust", async || db.scalar::<bool>(failed).then_some(())).await;
    assert_eq!(server.count(), 0);
    running.kill().await;

    db.execute("UPDATE outbox SET next_attempt_at = now()");
    let _running = latchkey.with("SSL_CERT_FILE", dir.path().join("ca.pem").display()).serve_ready().await;
    let letter = server.letter().await;
    assert!(letter.sealed);
    assert_eq!(letter.recipients, ["ada@example.org"]);
}

// ------------------------------------------------------------------------------------- the tools

fn through(settings: &mut Settings, port: u16) {
    settings.mail.transport = Transport::Smtp;
    settings.mail.smtp_url = Some(format!("smtp://127.0.0.1:{port}").into());
}

async fn register(browser: &mut Browser, email: &str) -> Answer {
    let fields = [("name", "Ada Lovelace"), ("email", email), ("password", "poetical-science-1843")];
    let answer = browser.fill_in("/register", &fields).await;
    answer.redirects_to("/register/check-email");
    answer
}

async fn deliver(app: &TestApp) -> usize {
    app.accounts.mailer().deliver_due(app.accounts.db()).await.unwrap()
}

/// Seconds until the next attempt.
fn due_in(db: &TestDb) -> i64 {
    db.scalar("SELECT ceil(extract(epoch FROM next_attempt_at - now()))::bigint FROM outbox")
}

/// The path of the link in an email's text.
fn link(text: &str, app: &TestApp) -> String {
    let link = text.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
    link.strip_prefix(&app.origin).expect("a link to us").to_owned()
}

/// An email as the server received it.
#[derive(Clone, Debug)]
struct Received {
    sender: String,
    greeting: String,
    recipients: Vec<String>,
    headers: Vec<(String, String)>,
    kind: String,
    parts: Vec<(String, String)>,
    sealed: bool,
}

impl Received {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pairs = |value: &Value| -> Vec<(String, String)> {
            value.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
        };
        Self {
            sender: text(&line["sender"]),
            greeting: text(&line["greeting"]),
            recipients: line["recipients"].as_array().unwrap().iter().map(text).collect(),
            headers: pairs(&line["headers"]),
            kind: text(&line["kind"]),
            parts: pairs(&line["parts"]),
            sealed: line["sealed"].as_bool().unwrap(),
        }
    }

    fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// tests/smtp/server.py, as a process.
pub struct MailServer {
    pub port: u16,
    letters: Arc<Mutex<Vec<Received>>>,
    child: Child,
}

impl MailServer {
    pub fn start() -> Self {
        Self::spawn(&[])
    }

    pub fn start_on(port: u16) -> Self {
        Self::spawn(&["--port", &port.to_string()])
    }

    pub fn spawn(arguments: &[&str]) -> Self {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("smtp-venv").join("bin/python");
        assert!(python.exists(), "{} is missing: bin/test makes it", python.display());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp/server.py");
        let mut child =
            Command::new(python).arg(script).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first: Value = serde_json::from_str(&lines.next().expect("a port")).unwrap();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&letters);
        thread::spawn(move || lines.for_each(|line| into.lock().unwrap().push(Received::parse(&line))));
        Self { port: u16::try_from(first["port"].as_u64().unwrap()).unwrap(), letters, child }
    }

    fn letters(&self) -> Vec<Received> {
        self.letters.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.letters.lock().unwrap().len()
    }

    /// Waits for the newest email with this subject to this address, and returns path and query of its first link.
    pub async fn link_to(&self, to: &str, subject: &str) -> String {
        let letter = eventually(subject, async || {
            let letters = self.letters().into_iter().rev();
            let mut theirs = letters.filter(|letter| letter.recipients == [to]);
            theirs.find(|letter| letter.headers("subject") == [subject])
        })
        .await;
        let text = &letter.parts[0].1;
        let link = text.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
        let (_, rest) = link.split_once("://").expect("a scheme");
        format!("/{}", rest.split_once('/').expect("a path").1)
    }

    /// Waits for the first email.
    async fn letter(&self) -> Received {
        eventually("a letter", async || self.letters().into_iter().next()).await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Accepts connections and never answers.
pub struct SilentServer {
    pub port: u16,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl SilentServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                into.lock().unwrap().push(stream);
            }
        });
        Self { port, connections }
    }

    /// Connections whose client still waits for the greeting.
    pub fn waiting(&self) -> usize {
        let open = |stream: &&TcpStream| {
            stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            stream.peek(&mut [0]).is_err()
        };
        self.connections.lock().unwrap().iter().filter(open).count()
    }
}
