//! Files of apps: applied in one transaction, with one event.

use latchkey::apps::{
    App, AppRefusal, AppSource, Applied, ApplyOptions, AppsFile, DifferenceKind, FileRefusal, RuleRefusal,
};
use latchkey::db::Refusable as _;
use latchkey::identity::Client;

use super::support::{add, app, detail, refused};
use crate::support::app::TestApp;

const FILE: &str = r#"
[apps.wiki]
name = "Wiki"
origins = ["https://wiki.example.org"]
upstream = "http://wiki:3000"

[[apps.wiki.rules]]
below = "/admin"
groups = ["wiki-admins"]
users = ["ada@example.org"]
factor = "two"
fresh = "10m"

[[apps.wiki.rules]]
all = true
groups = ["staff"]

[apps.shop]
origins = ["https://shop.example.org"]
upstream = "http://shop:3000"
rules = []
"#;

async fn apply(server: &TestApp, text: &str, options: ApplyOptions) -> Result<Applied, FileRefusal> {
    let file = AppsFile::parse(text)?;
    server.accounts.apps.apply(file, options, Client::operator()).await.split().expect("no fault")
}

fn summary(applied: &Applied) -> Vec<(DifferenceKind, &str)> {
    applied.apps.iter().map(|difference| (difference.kind, difference.change.app.as_str())).collect()
}

const NOW: ApplyOptions = ApplyOptions { dry_run: false, prune: false };
const PRUNE: ApplyOptions = ApplyOptions { dry_run: false, prune: true };

#[actix_web::test]
async fn a_file_adds_its_apps_and_groups_with_one_event() {
    let server = TestApp::spawn();
    server.ada().await;
    let dry = apply(&server, FILE, ApplyOptions { dry_run: true, prune: false }).await.unwrap();
    assert_eq!(server.accounts.apps.list().await.unwrap(), []);
    assert_eq!(server.accounts.groups.list().await.unwrap(), []);
    assert_eq!(server.events("apps.applied"), 0);

    let applied = apply(&server, FILE, NOW).await.unwrap();
    assert_eq!(applied, dry);
    assert_eq!(summary(&applied), [(DifferenceKind::Added, "shop"), (DifferenceKind::Added, "wiki")]);
    assert_eq!(applied.groups.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["staff", "wiki-admins"]);
    let wiki = server.accounts.apps.find("wiki").await.unwrap().unwrap();
    assert_eq!((wiki.source, wiki.rules.len()), (AppSource::File, 2));
    assert_eq!(server.events("apps.applied"), 1);
    let event = detail(&server, "apps.applied");
    assert_eq!(event["applied"][1]["app"], "wiki");
    assert_eq!(event["groups"], serde_json::json!(["staff", "wiki-admins"]));

    let again = apply(&server, FILE, PRUNE).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(server.events("apps.applied"), 1);
}

#[actix_web::test]
async fn what_is_exported_changes_nothing_when_it_is_applied() {
    let server = TestApp::spawn();
    server.ada().await;
    apply(&server, FILE, NOW).await.unwrap();
    let exported = server.accounts.apps.export().await.unwrap().to_toml();
    assert!(exported.contains("ada@example.org"), "{exported}");
    let again = apply(&server, &exported, PRUNE).await.unwrap();
    assert!(again.is_empty(), "{exported}\n{again:?}");
    // A user who was deleted stays in the rule under an id, which lets no one in.
    server.db.execute("DELETE FROM users");
    let exported = server.accounts.apps.export().await.unwrap().to_toml();
    assert!(!exported.contains("ada@example.org"));
    assert!(apply(&server, &exported, PRUNE).await.unwrap().is_empty());
}

#[actix_web::test]
async fn pruning_removes_apps_of_earlier_files_and_no_others() {
    let server = TestApp::spawn();
    server.ada().await;
    add(&server.accounts, &app("notes")).await;
    apply(&server, FILE, NOW).await.unwrap();
    let less = "[apps.shop]\norigins = [\"https://shop.example.org\"]\nupstream = \"http://shop:3000\"\nrules = []\n";
    assert!(apply(&server, less, NOW).await.unwrap().is_empty());
    let pruned = apply(&server, less, PRUNE).await.unwrap();
    assert_eq!(summary(&pruned), [(DifferenceKind::Removed, "wiki")]);
    let left: Vec<String> =
        server.accounts.apps.list().await.unwrap().iter().map(|app| app.slug.to_string()).collect();
    assert_eq!(left, ["notes", "shop"]);
}

#[actix_web::test]
async fn a_file_takes_over_an_app_keeps_its_id_and_moves_an_origin_to_another() {
    let server = TestApp::spawn();
    let (wiki, shop) = (app("wiki"), app("shop"));
    add(&server.accounts, &wiki).await;
    add(&server.accounts, &shop).await;
    let swapped = r#"
[apps.wiki]
origins = ["https://shop.example.org"]
upstream = "http://wiki:3000"
[apps.shop]
origins = ["https://wiki.example.org"]
upstream = "http://shop:3000"
"#;
    let applied = apply(&server, swapped, NOW).await.unwrap();
    assert_eq!(summary(&applied), [(DifferenceKind::Changed, "shop"), (DifferenceKind::Changed, "wiki")]);
    let after = server.accounts.apps.find("wiki").await.unwrap().unwrap();
    assert_eq!((after.id, after.origins, after.source), (wiki.id, shop.origins, AppSource::File));
}

#[actix_web::test]
async fn a_file_with_one_bad_app_changes_nothing() {
    let server = TestApp::spawn();
    server.ada().await;
    add(&server.accounts, &app("notes")).await;
    let before = server.dump();
    let with = |entry: &str| format!("{FILE}\n{entry}");
    let taken = app("notes").origins[0].clone();
    for (entry, slug, why) in [
        (
            "[apps.z]\norigins = [\"https://notes.example.org\"]\nupstream = \"http://z\"\n",
            "z",
            AppRefusal::OriginTaken(taken),
        ),
        (
            "[apps.z]\nupstream = \"http://z\"\nmode = \"magic\"\n",
            "z",
            AppRefusal::Choice {
                field: "mode",
                text: "magic".into(),
                choices: vec!["proxy", "forward-auth"],
            },
        ),
        (
            "[apps.z]\nupstream = \"http://z/x\"\n",
            "z",
            AppRefusal::Upstream(latchkey::apps::InvalidUpstream::Path),
        ),
        ("[apps.z]\nupstream = \"http://z\"\nhead = \"1y\"\n", "z", AppRefusal::Duration { field: "head" }),
        ("[apps.z]\norigins = [\"https://z.example.org\"]\n", "z", AppRefusal::NoUpstream),
        (
            "[apps.z]\norigins = [\"https://z.example.org\"]\nupstream = \"http://z\"\n[[apps.z.rules]]\nall = true\nusers = [\"eve@example.org\"]\n",
            "z",
            AppRefusal::Rule { at: 0, why: RuleRefusal::UnknownUser { text: "eve@example.org".into() } },
        ),
    ] {
        let refusal = apply(&server, &with(entry), NOW).await.unwrap_err();
        assert_eq!(refusal, FileRefusal::App { slug: slug.into(), why }, "{entry}");
    }
    assert!(matches!(apply(&server, &with("[app.z]\n"), NOW).await, Err(FileRefusal::Malformed(_))));
    assert_eq!(server.dump(), before);
}

#[actix_web::test]
async fn an_app_of_a_file_is_changed_by_the_file_again() {
    let server = TestApp::spawn();
    server.ada().await;
    apply(&server, FILE, NOW).await.unwrap();
    let shop = server.accounts.apps.find("shop").await.unwrap().unwrap();
    // On the command line it can be changed; the next file changes it back.
    let renamed = App { name: "Renamed".into(), ..shop.clone() };
    server.accounts.apps.change(None, shop, renamed, Client::operator()).await.unwrap();
    let applied = apply(&server, FILE, NOW).await.unwrap();
    assert_eq!(summary(&applied), [(DifferenceKind::Changed, "shop")]);
    let grace = latchkey::identity::UserId(server.grace().await.id);
    let shop = server.accounts.apps.find("shop").await.unwrap().unwrap();
    let removed = server.accounts.apps.remove(Some(grace), shop.id, Client::operator()).await;
    assert_eq!(refused(removed), AppRefusal::FromFile);
}
