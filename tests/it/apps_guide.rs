//! Runs every command of the guide docs/apps.md.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::front::support::path_of;
use crate::support::browser::Browser;
use crate::support::db::TestDb;
use crate::support::files::root;
use crate::support::process::{DataDir, Latchkey, eventually, free_port};
use crate::support::upstream::{OK, Upstream};

/// The commands of the section with this heading, without their comments.
fn lines(heading: &str) -> Vec<String> {
    let section = section(heading);
    let fenced = section.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = fenced.flat_map(str::lines).filter_map(|line| line.split('#').next());
    let lines: Vec<String> =
        lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    assert!(!lines.is_empty(), "no command below {heading:?}");
    lines
}

/// The same, as words.
fn commands(heading: &str) -> Vec<Vec<String>> {
    lines(heading).iter().map(|line| words(line)).collect()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn section(heading: &str) -> String {
    let guide = fs::read_to_string(root().join("docs/apps.md")).expect("the guide");
    let (_, rest) = guide.split_once(&format!("## {heading}\n")).expect("the section");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Runs `latchkey …` and expects it to succeed.
fn run(latchkey: &Latchkey, command: &[String]) -> String {
    assert_eq!(command[0], "latchkey", "{command:?}");
    let words: Vec<&str> = command[1..].iter().map(String::as_str).collect();
    let ran = latchkey.run(&words);
    assert_eq!(ran.code, Some(0), "{command:?}: {}{}", ran.out, ran.err);
    ran.out
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_web::test]
async fn the_first_minutes_end_in_the_demo_app() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir);
    let mut running = latchkey.serve_ready().await;
    let [start, demo, add] = &commands("Try it on your machine")[..] else { panic!("other commands") };
    assert_eq!((&*start[0], demo.join(" ").as_str()), ("bin/run", "latchkey app demo"));
    // Another port than 3000, which may be in use on this machine.
    let port = free_port().to_string();
    let child =
        latchkey.command(&["app", "demo", "--port", &port]).stdout(Stdio::null()).spawn().expect("the demo");
    let _demo = Demo(child);
    let add: Vec<String> = add.iter().map(|word| word.replace("3000", &port)).collect();
    assert!(run(&latchkey, &add).contains(&format!("http://wiki.localhost:{}", latchkey.port)));

    let link = running.logged("there is no administrator yet").await;
    let link = link["link"].as_str().expect("a link");
    let setup = link.strip_prefix(&latchkey.origin()).expect("our link").to_owned();
    let mut portal = running.browser();
    let token = setup.split('=').nth(1).expect("a token").to_owned();
    let fields = [
        ("token", token.as_str()),
        ("name", "Grace Hopper"),
        ("email", "grace@example.org"),
        ("password", "nanoseconds-of-wire-30cm"),
    ];
    portal.fill_in(&setup, &fields).await.is(303);
    if !portal.is_in().await {
        portal.log_in("grace@example.org", "nanoseconds-of-wire-30cm").await.is(303);
    }
    let mut wiki = Browser::new(&format!("http://wiki.localhost:{}", latchkey.port));
    wiki.headers = crate::front::support::navigation();
    let page = eventually("the demo's page", async || {
        let begin = path_of(&wiki.get("/").await);
        let go = path_of(&wiki.get(&begin).await);
        let enter = path_of(&portal.get(&go).await);
        wiki.get(&enter).await.is(303);
        Some(wiki.get("/").await).filter(|page| page.status == 200)
    })
    .await;
    assert!(page.body.contains("Hello, Grace Hopper"), "{}", page.body);
    let home = portal.get("/home").await;
    assert!(home.body.contains("/go/wiki") && home.body.contains("Wiki"), "{}", home.body);
    assert!(portal.get("/account/sessions").await.body.contains("Wiki"));
    running.stop(nix::sys::signal::Signal::SIGTERM).await;
}

#[actix_web::test]
async fn the_commands_for_an_app_its_rules_and_its_file_do_what_the_guide_says() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    latchkey.run(&["migrate"]).well();
    latchkey.run(&["user", "create", "--email", "ada@example.org", "--name", "Ada"]).well();

    let [add, allow] = &commands("Put an app on the internet")[..] else { panic!("other commands") };
    run(&latchkey, add);
    // No one is let in until there is a rule.
    let explain: Vec<String> = "latchkey app explain wiki --as ada@example.org --get / --json"
        .split(' ')
        .map(str::to_owned)
        .collect();
    assert!(!run(&latchkey, &explain).contains("\"pass\""));
    run(&latchkey, allow);
    assert!(run(&latchkey, &explain).contains("\"pass\""));

    for command in commands("Rules") {
        run(&latchkey, &command);
    }
    let shown = run(&latchkey, &["latchkey", "app", "show", "wiki"].map(str::to_owned));
    for (number, rule) in [(1, "/static"), (2, "/admin")] {
        assert!(
            shown.lines().any(|line| line.starts_with(&format!("rule {number}:")) && line.contains(rule)),
            "{shown}"
        );
    }

    // The file of the guide, with the commands that the text names.
    let text = section("Apps from a file");
    let toml = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a file");
    let dir = DataDir::new();
    fs::create_dir_all(dir.path()).expect("a directory");
    let file = dir.path().join("apps.toml");
    fs::write(&file, toml).expect("the file");
    let file = file.display().to_string();
    for named in [
        "latchkey app apply apps.toml --dry-run",
        "latchkey app export",
        "--prune",
        "LATCHKEY_APPS=apps.toml",
    ] {
        assert!(text.contains(named), "{named}");
    }
    let other = TestDb::new();
    let elsewhere = Latchkey::on(&other.url());
    elsewhere.run(&["migrate"]).well();
    for group in ["staff", "wiki-admins"] {
        elsewhere.run(&["group", "add", group]).well();
    }
    assert!(!elsewhere.run(&["app", "apply", &file, "--dry-run"]).well().is_empty());
    assert_eq!(other.scalar::<i64>("SELECT count(*) FROM apps"), 0);
    elsewhere.run(&["app", "apply", &file, "--prune"]).well();
    assert_eq!(elsewhere.run(&["app", "export"]).out.trim(), toml.trim());
    // The same file at the start. If it has an error, Latchkey does not start.
    let started = elsewhere.clone().with("LATCHKEY_APPS", &file).serve_ready().await;
    drop(started);
    fs::write(&file, format!("{toml}\nnonsense = true\n")).expect("the file");
    let ran = elsewhere.with("LATCHKEY_APPS", &file).run(&["serve"]);
    assert!(ran.code != Some(0) && ran.err.contains("nonsense"), "{}{}", ran.out, ran.err);
}

#[actix_web::test]
async fn the_commands_for_programs_with_an_access_token_do_what_the_guide_says() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let running = latchkey.serve_ready().await;
    latchkey.run(&["user", "create", "--email", "ada@example.org", "--name", "Ada"]).well();
    let ada: String = db.scalar("SELECT id::text FROM users");
    let upstream = Upstream::answering(OK);
    let origin = format!("http://wiki.localhost:{}", latchkey.port);
    let add = format!("latchkey app add wiki --upstream {} --origin {origin}", upstream.url());
    run(&latchkey, &words(&add));

    let (ours, with_curl): (Vec<String>, Vec<String>) =
        lines("Programs: access tokens").into_iter().partition(|line| line.starts_with("latchkey "));
    let [rule, create] = &ours[..] else { panic!("other commands: {ours:?}") };
    run(&latchkey, &words(rule));
    let token = run(&latchkey, &words(create)).trim().to_owned();
    assert!(token.starts_with("lk_"), "{token}");
    let dir = DataDir::new();
    fs::create_dir_all(dir.path()).expect("a directory");
    fs::write(dir.path().join("notes.txt"), "remember the milk").expect("a file");
    let shell = |line: &str| {
        let command = line.replace("https://wiki.example.org", &origin);
        assert_ne!(command, line, "no address of the app");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(dir.path()).env("TOKEN", &token).env_remove("http_proxy");
        shell.output().expect("a shell")
    };
    assert_eq!(with_curl.len(), 3, "{with_curl:?}");
    for line in &with_curl {
        assert!(line.starts_with("curl --fail "), "{line}");
        let output = shell(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let received = upstream.received();
    let methods: Vec<&str> = received.iter().map(|request| request.method()).collect();
    assert_eq!(methods, ["GET", "PROPFIND", "PUT"]);
    for request in &received {
        assert_eq!(request.values("remote-user"), [ada.as_str()], "{request:?}");
        assert!(request.values("authorization").is_empty(), "{request:?}");
    }
    assert_eq!(received[2].body, b"remember the milk");
    db.execute("DELETE FROM tokens");
    assert!(with_curl.iter().all(|line| !shell(line).status.success()), "it was revoked");
    drop(running);
}
