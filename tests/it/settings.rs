//! Settings that make no sense refuse to start: one line, which names the variable and tells no secret.

use std::fs;

use crate::support::process::{DataDir, Latchkey};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

fn deployed() -> Latchkey {
    Latchkey::bare()
        .with("DATABASE_URL", "postgres://someone:hunter2@db.example.org/latchkey")
        .with("LATCHKEY__SECRET", SECRET)
        .with("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org")
}

#[test]
fn what_is_wrong_with_one_variable_is_one_line_that_names_it() {
    for (name, value) in [
        ("LATCHKEY__SECRET", "short"),
        ("LATCHKEY__SECRET", "abababababababababababababababababababab"),
        ("LATCHKEY__SECRET_PREVIOUS", "short"),
        ("LATCHKEY__SERVER__PUBLIC_URL", "http://id.example.org"),
        ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org/login"),
        ("LATCHKEY__SERVER__PUBLIC_ULR", "https://id.example.org"),
        ("LATCHKEY__SERVR__PORT", "8080"),
        ("LATCHKEY__REGISTRATION", "opne"),
        ("LATCHKEY__SERVER__WORKERS", "many"),
        ("LATCHKEY__SERVER__PORT", "70000"),
        ("LATCHKEY__SESSIONS__IDLE", "5"),
        ("LATCHKEY__MAIL__TRANSPORT", "mailbox"),
        ("LATCHKEY__MAIL__TRANSPORT", "pigeon"),
        ("LATCHKEY__MAIL__FROM", "nobody in particular"),
        ("LATCHKEY__MAIL__SMTP_URL", "pigeon://loft"),
        ("PORT", "http"),
    ] {
        let ran =
            deployed().with("PORT", crate::support::process::free_port()).with(name, value).run(&["serve"]);
        let line = ran.refused();
        assert!(line.contains(name), "{name}={value}: {line}");
        assert!(!line.contains("hunter2") && !line.contains(SECRET), "{line}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let database = ("DATABASE_URL", "postgres://someone:hunter2@db.example.org/latchkey");
    let url = ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org");
    let secret = ("LATCHKEY__SECRET", SECRET);
    let smtp = ("LATCHKEY__MAIL__TRANSPORT", "smtp");
    for (given, missing) in [
        (&[database, secret][..], "LATCHKEY__SERVER__PUBLIC_URL"),
        (&[database, url], "LATCHKEY__SECRET"),
        (&[database, url, ("LATCHKEY__SECRET", "")], "LATCHKEY__SECRET"),
        (&[database, url, secret, smtp], "LATCHKEY__MAIL__SMTP_URL"),
    ] {
        let latchkey = given.iter().fold(Latchkey::bare(), |it, (name, value)| it.with(name, value));
        for command in ["serve", "config", "migrate"] {
            let ran = latchkey.run(&[command]);
            assert!(ran.refused().contains(&format!("{missing} is missing")), "{}", ran.err);
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let dir = DataDir::new();
    let file = dir.path().join("settings.toml");
    fs::write(&file, "registration = \"closed\"\n[sessions]\nidle = \"2h\"\nabsolute = \"3d\"\n").unwrap();
    let latchkey = deployed().with("LATCHKEY_CONFIG", file.display()).with("LATCHKEY__SESSIONS__IDLE", "90m");
    let ran = latchkey.run(&["config"]);
    let lines = ran.well();
    for line in [
        "registration = \"closed\"",
        "sessions.idle = \"90m\"",
        "sessions.absolute = \"3d\"",
        "sessions.touch_every = \"1m\"",
        "server.public_url = \"https://id.example.org\"",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_its_lines_are_not_repeated() {
    let dir = DataDir::new();
    let file = dir.path().join("settings.toml");
    let broken = deployed().with("LATCHKEY_CONFIG", file.display());
    assert!(broken.run(&["config"]).refused().contains("settings.toml"));
    fs::write(&file, "registration = \"open\"\nsecret = \"a-secret-whose-quote-is-never-closed\n").unwrap();
    let ran = broken.run(&["serve"]);
    assert!(ran.refused().contains("settings.toml: "), "{}", ran.err);
    assert!(ran.refused().contains("line 2"), "{}", ran.err);
    assert!(!ran.err.contains("never-closed"), "{}", ran.err);
    fs::write(&file, "registraton = \"open\"\n").unwrap();
    assert!(broken.run(&["serve"]).refused().contains("`registraton`"));
}

#[test]
fn what_is_shown_of_the_settings_holds_no_secret() {
    let latchkey = deployed()
        .with("LATCHKEY__SECRET_PREVIOUS", "zyxwvutsrqponmlkjihgfedcba9876543210")
        .with("LATCHKEY__MAIL__SMTP_URL", "smtps://me:letmein@mail.example.org");
    for arguments in [&["config"][..], &["config", "--json"]] {
        let ran = latchkey.run(arguments);
        ran.well();
        for secret in [SECRET, "hunter2", "letmein", "zyxwvu"] {
            assert!(!ran.out.contains(secret), "{}", ran.out);
        }
        assert!(ran.out.contains("db.example.org") && ran.out.contains("mail.example.org"), "{}", ran.out);
    }
    let ran = latchkey.run(&["config", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(shown["mode"], "deployed");
    assert_eq!(shown["secret"], "(set)");
    assert_eq!(shown["database"]["url"], "postgres://someone:***@db.example.org/latchkey");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    for arguments in [&["serv"][..], &["user", "banish"], &["config", "--xml"], &["session", "revoke"], &[]] {
        let ran = deployed().run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
    }
    let ran = Latchkey::bare().run(&["--version"]);
    assert_eq!(ran.well(), [format!("latchkey {}", env!("CARGO_PKG_VERSION"))]);
}
