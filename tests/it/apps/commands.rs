//! `latchkey app` and `latchkey group`, and the file of apps at the start.

use std::fs;

use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use crate::front::support::{User, wiki};
use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Ran};

fn ok(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    ran.out
}

fn error(ran: Ran) -> String {
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    ran.err
}

fn objects(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_commands_add_an_app_say_who_gets_in_and_explain_it() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let run = |arguments: &str| latchkey.run(&arguments.split(' ').collect::<Vec<_>>());
    ok(run("user create --email ada@example.org --name Ada"));
    ok(run("group add staff --note Everyone"));
    let added =
        run("app add wiki --upstream http://127.0.0.1:3000 --origin https://wiki.example.org --name Wiki");
    assert!(added.err.contains("no one is let in"), "{}", added.err);
    assert_eq!(ok(added), "Wiki is at https://wiki.example.org\n");
    ok(run("app rule add wiki --allow group:staff"));
    let rules = ok(run(
        "app rule add wiki --below /admin --allow user:ada@example.org --factor two --fresh 10m --at 1",
    ));
    assert_eq!(rules.lines().count(), 2, "{rules}");
    assert!(rules.starts_with("rule 1: /admin and below"), "{rules}");

    let listed = objects(&ok(run("app list --json")));
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["slug"], &listed[0]["rules"]), (&json!("wiki"), &json!(2)));
    let shown = objects(&ok(run("app show wiki --json")));
    assert_eq!(shown[0]["rules"][0]["users"], json!(["ada@example.org"]));
    assert!(ok(run("app show wiki")).contains("https://wiki.example.org"));

    let explain = |rest: &str| ok(run(&format!("app explain wiki {rest}")));
    assert!(explain("--get /").contains("rule 2"), "{}", explain("--get /"));
    let object = |rest: &str| objects(&explain(&format!("{rest} --json"))).remove(0);
    assert_eq!(object("--get /"), json!({ "passes": false, "answer": "log-in", "rule": 2 }));
    assert_eq!(
        object("--as ada@example.org --get /"),
        json!({ "passes": false, "answer": "not-listed", "rule": 2 })
    );
    assert_eq!(object("--as ada@example.org --get /admin")["answer"], "second-factor-missing");
    ok(run("group join staff ada@example.org"));
    assert_eq!(object("--as ada@example.org --get /")["passes"], true);
    assert_eq!(object("--as ada@example.org --post /x")["passes"], true);
    assert_eq!(object("--get /a//b --from 10.0.0.7")["answer"], "path-ambiguous");
    ok(run("app rule add wiki --below /dav --allow signed-in --tokens --at 1"));
    assert_eq!(
        object("--as ada@example.org --token --path /dav/x --method PROPFIND"),
        json!({ "passes": true, "answer": "pass", "rule": 1 })
    );
    assert_eq!(object("--as ada@example.org --token --get /")["answer"], "log-in");
    ok(run("app rule remove wiki 1"));
    let said = explain("--as ada@example.org --get /administrator?x=1 --from 10.0.0.7");
    assert!(said.starts_with("rule 1: /admin and below: Does not match"), "{said}");

    ok(run("app rule move wiki 1 2"));
    let rules = ok(run("app rule remove wiki 2"));
    assert_eq!(rules.lines().count(), 1, "{rules}");
    assert_eq!(objects(&ok(run("group list --json")))[0]["apps"], json!(["wiki"]));
    assert_eq!(objects(&ok(run("group list staff --json")))[0]["email"], "ada@example.org");
    assert!(error(run("group remove staff")).contains("wiki"));
    ok(run("app remove wiki"));
    ok(run("group leave staff ada@example.org"));
    ok(run("group remove staff"));
    assert_eq!(ok(run("app list")), "No apps.\n");
    assert_eq!(ok(run("group list")), "No groups.\n");
}

#[test]
fn a_command_that_is_wrong_says_what_to_change() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let run = |arguments: &str| latchkey.run(&arguments.split(' ').collect::<Vec<_>>());
    for (arguments, said) in [
        ("app show wiki", "there is no app"),
        ("app add Wiki --upstream http://a --origin https://a.example", "a to z"),
        ("app add wiki --upstream http://u:p@a --origin https://a.example", "user name"),
        ("app add wiki --upstream http://a", "address"),
        ("app add wiki --upstream http://a --origin http://a.example", "https"),
        ("app add wiki --upstream http://a --origin https://a.example --allow all", "signed-in, open"),
        ("app add wiki --upstream http://a --origin https://a.example --allow group:staff", "no group staff"),
        (
            "app add wiki --upstream http://a --origin https://a.example --allow open --allow role:admin",
            "twice",
        ),
        ("app add wiki --upstream http://a --origin https://a.example --allow user:eve@example.org", "eve"),
        ("app apply /nonexistent", "/nonexistent"),
        ("group join staff ada@example.org", "there is no user"),
        ("group add Staff", "a to z"),
    ] {
        assert!(error(run(arguments)).contains(said), "{arguments}: {}", run(arguments).err);
    }
    ok(run("app add wiki --upstream http://a --origin https://a.example --allow open"));
    for (arguments, said) in [
        ("app rule remove wiki 2", "from 1 to 1"),
        ("app rule move wiki 1 0", "from 1 to 1"),
        ("app rule add wiki --below /a/../b --allow open", "different ways"),
        ("app rule add wiki --allow open --factor two", "open to everyone"),
        ("app explain wiki --as eve@example.org --get /", "no active user"),
    ] {
        assert!(error(run(arguments)).contains(said), "{arguments}: {}", run(arguments).err);
    }
}

#[test]
fn the_commands_list_an_app_that_cannot_be_read_and_remove_it() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let run = |arguments: &str| latchkey.run(&arguments.split(' ').collect::<Vec<_>>());
    for slug in ["shop", "wiki"] {
        ok(run(&format!(
            "app add {slug} --upstream http://127.0.0.1:3000 --origin https://{slug}.example.org"
        )));
    }
    db.execute("UPDATE apps SET also_from = '{moon}' WHERE slug = 'wiki'");
    let listed = objects(&ok(run("app list --json")));
    assert_eq!(listed[1]["slug"], "wiki");
    assert_eq!(listed[1]["unreadable"], "apps.also_from");
    let table = ok(run("app list"));
    assert!(table.contains("unreadable") && table.contains("apps.also_from"), "{table}");
    assert!(error(run("app show wiki")).contains("apps.also_from"));
    let exported = run("app export");
    assert!(exported.err.contains("wiki is not in the file") && exported.out.contains("[apps.shop]"));
    ok(run("app show shop"));
    ok(run("app remove wiki"));
    assert_eq!(objects(&ok(run("app list --json"))).len(), 1);
}

const FILE: &str = "[apps.wiki]\norigins = [\"https://wiki.example.org\"]\nupstream = \"http://wiki:3000\"\n\n\
                    [[apps.wiki.rules]]\nall = true\ngroups = [\"staff\"]\n";

#[actix_web::test]
async fn a_file_is_applied_by_a_command_and_at_each_start() {
    let (db, dir) = (TestDb::new(), DataDir::new());
    fs::create_dir_all(dir.path()).unwrap();
    let file = dir.path().join("apps.toml");
    fs::write(&file, FILE).unwrap();
    let latchkey = Latchkey::on(&db.url());
    let path = file.to_str().unwrap();
    let dry = ok(latchkey.run(&["app", "apply", path, "--dry-run"]));
    assert!(dry.starts_with("+ group staff\n+ app wiki\n") && dry.contains("dry run"), "{dry}");
    assert_eq!(ok(latchkey.run(&["app", "list"])), "No apps.\n");

    let started = latchkey.clone().with("LATCHKEY_APPS", path);
    let running = started.serve_ready().await;
    running.logged("the file of apps is applied").await;
    drop(running);
    assert_eq!(ok(latchkey.run(&["app", "apply", path])), "Nothing to change.\n");
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM audit_events WHERE act = 'apps.applied'"), 1);
    let exported = ok(latchkey.run(&["app", "export"]));
    fs::write(&file, exported).unwrap();
    assert_eq!(ok(latchkey.run(&["app", "apply", path, "--prune"])), "Nothing to change.\n");
    // A start never prunes.
    fs::write(&file, "").unwrap();
    drop(started.serve_ready().await);
    assert_eq!(objects(&ok(latchkey.run(&["app", "list", "--json"]))).len(), 1);
    assert!(ok(latchkey.run(&["app", "apply", path, "--prune"])).starts_with("- app wiki\n"));
}

/// As `app apply` does.
#[actix_web::test]
async fn a_file_at_the_start_ends_keys_and_waits_for_other_instances_before_it_is_ready() {
    let here = TestApp::spawn();
    let wiki = wiki(&here).await;
    let ada = here.ada().await;
    let mut user = User::inside(&here, &wiki, &ada).await;
    let dir = DataDir::new();
    fs::create_dir_all(dir.path()).unwrap();
    let file = dir.path().join("apps.toml");
    let moved = format!(
        "[apps.wiki]\norigins = [\"https://wiki.example.org\"]\nupstream = \"{}\"\n\n\
         [[apps.wiki.rules]]\nall = true\naccess = \"signed-in\"\n",
        wiki.upstream.url()
    );
    fs::write(&file, moved).unwrap();
    let mut listening = here.db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    let running = Latchkey::on(&here.db.url()).with("LATCHKEY_APPS", file.display()).serve_ready().await;
    assert_eq!(here.db.scalar::<i64>("SELECT count(*) FROM session_keys"), 0, "of the address that is gone");
    user.at_app.get("/").await.is(421);
    listening.batch_execute("SELECT 1").unwrap();
    let heard: Vec<String> = listening.notifications_iter().map(|one| one.unwrap().payload).collect();
    assert!(heard.iter().any(|message| message.starts_with("a4b5d0c2-")), "{heard:?}");
    drop(running);
}

#[test]
fn a_file_with_an_error_refuses_to_start() {
    let (db, dir) = (TestDb::new(), DataDir::new());
    fs::create_dir_all(dir.path()).unwrap();
    let file = dir.path().join("apps.toml");
    let latchkey = Latchkey::on(&db.url()).with("LATCHKEY_APPS", file.display());
    for (text, said) in [
        (None, "No such file"),
        (Some("[apps.wiki]\nupstreams = \"http://a\"\n".to_owned()), "upstreams"),
        (Some(FILE.replace("http://wiki:3000", "http://u@wiki")), "user name"),
        (Some(FILE.replace("groups = [\"staff\"]", "users = [\"eve@example.org\"]")), "eve@example.org"),
    ] {
        if let Some(text) = &text {
            fs::write(&file, text).unwrap();
        }
        let ran = latchkey.run(&["serve"]);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        let last = ran.err.lines().last().unwrap_or_default();
        assert!(last.contains("apps.toml") && last.contains(said), "{last}");
    }
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM apps"), 0);
}
