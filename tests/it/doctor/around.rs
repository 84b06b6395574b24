//! The doctor's checks of settings and mail.

use super::{PASSWORD, SECRET, doctor};
use crate::mail::{MailServer, SilentServer};
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey};

#[actix_web::test]
async fn settings_that_stop_the_program_are_its_one_finding() {
    let latchkey = Latchkey::on("postgresql://nobody@127.0.0.1:9/x");
    for (name, value, words) in [
        ("LATCHKEY__SERVER__PUBLIC_URL", "http://id.example.org", "must begin with https://"),
        ("LATCHKEY__SECRET", "short", "LATCHKEY__SECRET is too short"),
        ("LATCHKEY__SERVER__TRUSTED_HOP", "1", "LATCHKEY__SERVER__TRUSTED_HOP"),
    ] {
        let found = doctor(&latchkey.clone().with(name, value), &[]);
        assert_eq!(found.checks(), ["settings"]);
        found.says("settings", "problem", words);
    }
    doctor(&latchkey, &[]).says("settings.secret", "warning", "openssl rand").says(
        "settings.public-url",
        "warning",
        "without TLS, and not in local mode",
    );
    // Registration is open by default, and a deployed server has no mail by default.
    doctor(&latchkey, &[]).says("settings.registration", "warning", "no registration can be completed");
    let closed = latchkey.clone().with("LATCHKEY__REGISTRATION", "closed");
    doctor(&closed, &[]).says("settings.registration", "ok", "closed");
    let public = latchkey.with("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org");
    doctor(&public, &[]).says("settings.public-url", "ok", "https://id.example.org").says(
        "settings.hops",
        "note",
        "which proxy does?",
    );
}

#[actix_web::test]
async fn a_mail_server_is_knocked_at_and_sent_nothing() {
    let db = TestDb::new();
    let to = |url: String| {
        let latchkey = Latchkey::on(&db.url()).with("LATCHKEY__SECRET", SECRET);
        latchkey.with("LATCHKEY__MAIL__SMTP_URL", url)
    };
    let server = MailServer::start();
    doctor(&to(format!("smtp://127.0.0.1:{}", server.port)), &[])
        .says("mail.server", "ok", "it answers and accepts us as [127.0.0.1]")
        .says("mail.tls", "note", "within this machine")
        .says("mail.from", "ok", "no-reply@localhost");
    // The connection is not authenticated, so no password is needed.
    doctor(&to(format!("smtp://ada:{PASSWORD}@127.0.0.1:{}", server.port)), &[]).says(
        "mail.server",
        "problem",
        "",
    );
    doctor(&to(format!("smtps://127.0.0.1:{}", server.port)), &[]).says("mail.server", "problem", "");
    assert_eq!(server.count(), 0);
    doctor(&to("smtp://0.0.0.0:9".into()), &[])
        .says("mail.server", "problem", "refused")
        .says("mail.tls", "warning", "readable");

    let dir = DataDir::new();
    let sealed = MailServer::spawn(&["--tls", dir.path().to_str().unwrap()]);
    let latchkey = to(format!("smtp://localhost:{}?tls=required", sealed.port));
    doctor(&latchkey, &[]).says("mail.server", "problem", "certificate").says("mail.tls", "ok", "");
    let trusting = latchkey.with("SSL_CERT_FILE", dir.path().join("ca.pem").display());
    doctor(&trusting.with("LATCHKEY__MAIL__FROM", "Id <id@example.net>"), &[])
        .says("mail.server", "ok", "")
        .says("mail.from", "note", "SPF and DKIM");
}

#[actix_web::test]
async fn a_mail_server_that_says_nothing_is_given_up_on() {
    let silent = SilentServer::start();
    let latchkey = Latchkey::on("postgresql://nobody@127.0.0.1:9/x")
        .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", silent.port));
    // Only once, because it takes as long as a mail server may.
    let ran = latchkey.run(&["doctor"]);
    assert!(ran.out.contains("problem  mail.server          no answer within"), "{}", ran.out);
    assert!(ran.out.contains("problem  database.reach"), "{}", ran.out);
}
