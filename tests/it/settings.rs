//! The program refuses to start with invalid settings: one line names the variable and reveals no secret.

use std::fs;

use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Ran};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

fn deployed() -> Latchkey {
    Latchkey::bare()
        .with("DATABASE_URL", "postgres://someone:hunter2@db.example.org/latchkey")
        .with("LATCHKEY__SECRET", SECRET)
        .with("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org")
}

#[test]
fn an_invalid_variable_is_reported_in_one_line_that_names_it() {
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
fn missing_settings_are_named() {
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
    let rows = rows(&latchkey.run(&["config"]));
    let file = format!("file {}", file.display());
    for (setting, value, from, variable) in [
        ("registration", "closed", file.as_str(), "LATCHKEY__REGISTRATION"),
        ("sessions.idle", "90m", "LATCHKEY__SESSIONS__IDLE", "LATCHKEY__SESSIONS__IDLE"),
        ("sessions.absolute", "3d", &file, "LATCHKEY__SESSIONS__ABSOLUTE"),
        ("sessions.touch_every", "1m", "default", "LATCHKEY__SESSIONS__TOUCH_EVERY"),
        (
            "server.public_url",
            "https://id.example.org",
            "LATCHKEY__SERVER__PUBLIC_URL",
            "LATCHKEY__SERVER__PUBLIC_URL",
        ),
    ] {
        assert_eq!(row(&rows, setting), [value, from, variable], "{setting}");
    }
}

/// The lines of `latchkey config` as columns, which are separated by two spaces.
fn rows(ran: &Ran) -> Vec<Vec<String>> {
    let cells = |line: &&str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    let rows: Vec<Vec<String>> = ran.well().iter().map(cells).collect();
    assert_eq!(rows[0], ["SETTING", "VALUE", "FROM", "VARIABLE"]);
    assert!(rows.iter().all(|row| row.len() == 4), "{rows:#?}");
    rows
}

/// Value, source and variable of a setting.
#[track_caller]
fn row<'r>(rows: &'r [Vec<String>], setting: &str) -> [&'r str; 3] {
    let row = rows.iter().find(|row| row[0] == setting).unwrap_or_else(|| panic!("{setting}: {rows:#?}"));
    [&row[1], &row[2], &row[3]]
}

#[test]
fn config_says_of_each_setting_what_decided_about_it() {
    let choreo = ["HOSTNAME", "USERNAME", "PASSWORD", "DATABASENAME"]
        .iter()
        .fold(Latchkey::bare(), |it, part| it.with(&format!("CHOREO_MAIN_DB_{part}"), format!("{part}\n")))
        .with("LATCHKEY__DATABASE__CHOREO_CONNECTION", "main-db")
        .with("LATCHKEY__SECRET", SECRET)
        .with("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org")
        .with("LATCHKEY__SESSIONS__PROFILE", "strict")
        .with("LATCHKEY__SESSIONS__ABSOLUTE", "12h")
        .with("LATCHKEY__METRICS__PORT", "9100")
        .with("PORT", " 9000 ");
    let shown = rows(&choreo.run(&["config"]));
    for (setting, value, from) in [
        ("server.port", "9000", "PORT"),
        ("database.url", "postgresql://USERNAME:***@HOSTNAME:5432/DATABASENAME", "Choreo connection main-db"),
        ("secret", "(set)", "LATCHKEY__SECRET"),
        ("sessions.profile", "strict", "LATCHKEY__SESSIONS__PROFILE"),
        ("sessions.idle", "1h", "profile strict"),
        ("sessions.absolute", "12h", "LATCHKEY__SESSIONS__ABSOLUTE"),
        ("sessions.cache", "on", "default"),
        ("metrics.port", "9100", "LATCHKEY__METRICS__PORT"),
        ("metrics.bind", "0.0.0.0", "default"),
        ("mail.ehlo", "id.example.org", "default"),
        ("mail.smtp_url", "-", "default"),
    ] {
        assert_eq!(row(&shown, setting)[..2], [value, from], "{setting}");
    }
    assert!(row(&shown, "database.url")[2].contains("CHOREO_MAIN_DB_HOSTNAME"));
    let json: serde_json::Value = serde_json::from_str(&choreo.run(&["config", "--json"]).out).unwrap();
    let settings = json["settings"].as_array().unwrap();
    assert_eq!(settings.len(), shown.len() - 1);
    assert!(settings.iter().any(|row| row["setting"] == "server.port" && row["from"] == "PORT"));
    for (name, value) in [("DATABASE_URL", "postgres://db"), ("PGDATABASE", "latchkey"), ("PGHOST", "db")] {
        let shown = rows(&deployed().with("DATABASE_URL", "").with(name, value).run(&["config"]));
        assert_eq!(row(&shown, "database.url")[1], name);
    }
}

#[test]
fn config_and_doctor_create_nothing_and_say_where_the_secret_will_be() {
    let dir = DataDir::new();
    let data = dir.path().join("data");
    let latchkey = Latchkey::bare().with("LATCHKEY__DATA_DIR", data.display());
    let shown = rows(&latchkey.run(&["config"]));
    assert_eq!(row(&shown, "secret")[..2], ["(not set)", "created at the first start"]);
    assert!(!data.exists());
    fs::create_dir(&data).unwrap();
    fs::write(data.join("secret"), format!("{SECRET}\n")).unwrap();
    let ran = latchkey.run(&["config"]);
    assert_eq!(row(&rows(&ran), "secret")[..2], ["(set)", "data directory"]);
    assert!(!ran.out.contains(SECRET));
    fs::write(data.join("secret"), "short").unwrap();
    assert!(latchkey.run(&["config"]).refused().contains("too short"));
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let database =
        Latchkey::bare().with("DATABASE_URL", "postgres://someone:hunter2@db.example.org/latchkey");
    let missing = database.with("LATCHKEY__MAIL__TRANSPORT", "smtp").run(&["serve"]);
    assert!(missing.refused().starts_with("settings: 3 problems: (1) "), "{}", missing.err);
    for name in ["LATCHKEY__SECRET", "LATCHKEY__SERVER__PUBLIC_URL", "LATCHKEY__MAIL__SMTP_URL"] {
        assert!(missing.refused().contains(&format!("{name} is missing")), "{name}: {}", missing.err);
    }
    let dir = DataDir::new();
    let file = dir.path().join("settings.toml");
    fs::write(&file, "[sessions]\nprofile = \"lax\"\nidel = \"1h\"\n").unwrap();
    let wrong = deployed()
        .with("LATCHKEY_CONFIG", file.display())
        .with("LATCHKEY__REGISTRATION", "opne")
        .with("LATCHKEY__SERVER__WORKERS", "many")
        .with("LATCHKEY__DATABASE__POOLER", "pgbouncer")
        .run(&["config"]);
    for words in [
        "settings: 5 problems",
        "LATCHKEY__REGISTRATION: \"opne\" is not one of: open, invite, closed",
        "LATCHKEY__SERVER__WORKERS",
        "\"pgbouncer\" is not one of: none, transaction",
        "sessions.profile: \"lax\" is not one of: standard, strict",
        "sessions.idel",
    ] {
        assert!(wrong.refused().contains(words), "{words}: {}", wrong.err);
    }
}

#[test]
fn an_empty_variable_is_not_set_and_white_space_is_not_part_of_a_value() {
    let dir = DataDir::new();
    let local = Latchkey::bare().with("LATCHKEY__DATA_DIR", dir.path().display());
    let plain = local.run(&["config"]).out;
    let shown = rows(&local.run(&["config"]));
    let ours = shown
        .iter()
        .skip(1)
        .map(|row| row[3].split(", ").find(|name| name.starts_with("LATCHKEY__")).unwrap());
    let others = [
        "PORT",
        "DATABASE_URL",
        "LATCHKEY_CONFIG",
        "LATCHKEY_APPS",
        "PGHOST",
        "PGDATABASE",
        "PGSERVICE",
        "PGSSLMODE",
    ];
    let choreo = ["HOSTNAME", "PORT", "USERNAME", "PASSWORD", "DATABASENAME"]
        .map(|part| format!("CHOREO_APP_DB_{part}"));
    let names = ours
        .filter(|name| *name != "LATCHKEY__DATA_DIR")
        .chain(others)
        .chain(choreo.each_ref().map(String::as_str));
    let all = names.fold(local, |it, name| it.with(name, ""));
    assert_eq!(all.run(&["config"]).out, plain);
    let tidy = deployed().with("LATCHKEY__SESSIONS__IDLE", "12h").with("LATCHKEY__SERVER__TRUSTED_HOPS", "1");
    let untidy = deployed()
        .with("DATABASE_URL", " postgres://someone:hunter2@db.example.org/latchkey\r\n")
        .with("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org\n")
        .with("LATCHKEY__SESSIONS__IDLE", "\t12h ")
        .with("LATCHKEY__SERVER__TRUSTED_HOPS", " 1\n");
    assert_eq!(untidy.run(&["config"]).out, tidy.run(&["config"]).out);
}

#[test]
fn values_that_libpq_reads_itself_are_normalised_as_well() {
    let db = TestDb::new();
    let tidy = Latchkey::on(&db.url());
    assert_eq!(tidy.run(&["user", "list"]).well(), ["No user."]);
    // Each of them alone makes libpq refuse to connect.
    let untidy =
        tidy.with("PGSSLMODE", "").with("PGTARGETSESSIONATTRS", " any\n").with("PGCONNECT_TIMEOUT", " 5\r\n");
    assert_eq!(untidy.run(&["user", "list"]).well(), ["No user."]);
}

#[test]
fn every_accepted_public_url_yields_working_derived_values() {
    let long = format!("https://{0}.{0}.{0}.{1}.org", "a".repeat(63), "b".repeat(57));
    for url in [
        "https://id.example.org.",
        "https://b\u{fc}cher.example",
        "https://ID.Example.ORG:443",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443",
        "https://my_app.example.org",
        "https://intranet",
        "http://localhost:8080",
        "http://app.localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        &long,
    ] {
        let latchkey = deployed().with("LATCHKEY__SERVER__PUBLIC_URL", url);
        latchkey.with("LATCHKEY__MAIL__SMTP_URL", "smtps://mail.example.org").run(&["config"]).well();
    }
    for url in [
        "https://a..b",
        "https://a-.example.org",
        "https://",
        "http://192.168.1.10",
        "https://[fe80::1%25eth0]",
        "'https://id.example.org'",
    ] {
        let ran = deployed().with("LATCHKEY__SERVER__PUBLIC_URL", url).run(&["config"]);
        assert!(ran.refused().contains("LATCHKEY__SERVER__PUBLIC_URL"), "{url}: {}", ran.err);
    }
}

#[test]
fn every_command_refuses_what_serve_refuses() {
    for (name, value) in [
        ("LATCHKEY__MAIL__FROM", "nobody in particular"),
        ("LATCHKEY__MAIL__SMTP_URL", "pigeon://loft"),
        ("LATCHKEY__MAIL__EHLO", "two words"),
        ("LATCHKEY__HASHING__MEMORY_KIB", "1"),
        ("LATCHKEY__METRICS__PORT", "8080"),
        ("DATABASE_URL", "mysql://someone:hunter2@db/latchkey"),
    ] {
        for command in [&["serve"][..], &["config"], &["migrate"], &["user", "list"], &["audit", "head"]] {
            let ran = deployed().with(name, value).run(command);
            let line = ran.refused();
            // The cost of hashing has several settings, which one error names together.
            let named = name.strip_prefix("LATCHKEY__HASHING").map_or(name, |_| "hashing");
            assert!(line.contains(named) && !line.contains("hunter2"), "{name}: {line}");
        }
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
fn printed_settings_contain_no_secret() {
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
