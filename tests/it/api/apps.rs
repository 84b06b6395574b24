//! Tests apps at the API: PUT, refusals, DELETE and explain.

use latchkey::config::UpstreamsFrom;
use latchkey::tokens::ApiScope;
use serde_json::{Value, json};

use super::support::{ApiAnswer as _, Program};
use crate::support::app::TestApp;

fn wiki() -> Value {
    json!({
        "name": "Wiki",
        "mode": "forward-auth",
        "origins": ["https://wiki.example.org"],
        "rules": [{ "all": true, "groups": ["staff"], "factor": "two" }],
    })
}

async fn with_groups(app: &TestApp) -> Program {
    let grace = app.grace().await;
    let mut program = Program::with_all(app, &grace).await;
    program.put("/api/v1/groups/staff", &json!({})).await.is(201);
    program
}

#[actix_web::test]
async fn an_app_is_added_shown_replaced_and_removed() {
    let app = TestApp::spawn();
    let mut program = with_groups(&app).await;
    let added = program.put("/api/v1/apps/wiki", &wiki()).await;
    assert_eq!(added.is(201).header("location"), Some("/api/v1/apps/wiki"));
    let shown = program.get("/api/v1/apps/wiki").await.is(200).json();
    assert_eq!((&shown["slug"], &shown["source"]), (&json!("wiki"), &json!("pages")));
    assert_eq!(shown["settings"], wiki());
    // What is shown can be put again, and changes nothing.
    program.put("/api/v1/apps/wiki", &shown["settings"]).await.is(200);
    assert_eq!(app.events("app.changed"), 0);
    let mut changed = wiki();
    changed["rules"] =
        json!([{ "below": "/public", "access": "open" }, { "all": true, "access": "signed-in" }]);
    program.put("/api/v1/apps/wiki", &changed).await.is(200);
    assert_eq!(program.items("/api/v1/apps", 200).await[0]["settings"], changed);
    program.delete("/api/v1/apps/wiki").await.is(204);
    program.delete("/api/v1/apps/wiki").await.is_problem(404, "not-found");
    assert_eq!(["app.added", "app.changed", "app.removed"].map(|act| app.events(act)), [1, 1, 1]);
    let actors: i64 =
        app.db.scalar("SELECT count(*) FROM audit_events WHERE act LIKE 'app.%' AND actor IS NULL");
    assert_eq!(actors, 0);
}

#[actix_web::test]
async fn an_app_is_validated_as_in_forms_and_files() {
    let app = TestApp::spawn();
    let mut program = with_groups(&app).await;
    program.put("/api/v1/apps/wiki", &wiki()).await.is(201);
    let with = |name: &str, value: Value| {
        let mut body = wiki();
        body["origins"] = json!(["https://other.example.org"]);
        body[name] = value;
        body
    };
    for (body, status, pointer, code) in [
        (with("origins", json!(["https://wiki.example.org"])), 409, "/origins", "origin-taken"),
        (with("origins", json!(["http://wiki.example.org"])), 422, "/origins", "not-https"),
        (with("mode", json!("tunnel")), 422, "/mode", "unknown-choice"),
        (with("mode", json!("proxy")), 422, "/upstream", "no-upstream"),
        (with("name", json!("")), 422, "/name", "empty"),
        (with("idle", json!("forever")), 422, "/idle", "invalid-duration"),
        (with("max_in_flight", json!(0)), 422, "/max_in_flight", "out-of-range"),
        (with("app_cookies", json!(["a b"])), 422, "/app_cookies", "invalid-cookie"),
        (with("headers", json!({ "user": "Host" })), 422, "/headers", "standard-header"),
        (with("rules", json!([{ "all": true }])), 422, "/rules/0", "no-access"),
        (
            with("rules", json!([{ "all": true, "access": "open" }, { "all": true, "groups": ["none"] }])),
            422,
            "/rules/1",
            "unknown-group",
        ),
        (
            with("rules", json!([{ "all": true, "users": ["x@example.org"] }])),
            422,
            "/rules/0",
            "unknown-user",
        ),
    ] {
        let answer = program.put("/api/v1/apps/other", &body).await;
        answer.is_problem(status, code);
        assert_eq!(answer.error(), (pointer.into(), code.into()));
    }
    program.put("/api/v1/apps/Not-a-slug", &wiki()).await.is_problem(422, "invalid-slug");
    assert_eq!(program.items("/api/v1/apps", 200).await.len(), 1);
}

#[actix_web::test]
async fn an_upstream_is_set_only_where_administrators_may_set_one() {
    let with_upstream = json!({ "origins": ["https://wiki.example.org"], "upstream": "http://wiki:3000" });
    let app = TestApp::spawn_with(|settings| settings.apps.upstreams_from = UpstreamsFrom::File);
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::AppsWrite]).await;
    let answer = program.put("/api/v1/apps/wiki", &with_upstream).await;
    answer.is_problem(403, "upstream-not-allowed");
    assert_eq!(answer.error().0, "/upstream");
    assert!(answer.header("www-authenticate").is_none());
    let app = TestApp::spawn_with(|settings| settings.apps.upstreams_from = UpstreamsFrom::Admin);
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::AppsWrite]).await;
    let added = program.put("/api/v1/apps/wiki", &with_upstream).await;
    assert_eq!(added.is(204).header("location"), Some("/api/v1/apps/wiki"));
}

#[actix_web::test]
async fn an_app_is_never_opened_by_leaving_out_its_rules() {
    let app = TestApp::spawn();
    let mut program = with_groups(&app).await;
    let without = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    let added = program.put("/api/v1/apps/wiki", &without).await;
    assert_eq!(added.is(201).json()["settings"]["rules"], json!([]));
    program.put("/api/v1/apps/wiki", &wiki()).await.is(200);
    let replaced = program.put("/api/v1/apps/wiki", &without).await;
    assert_eq!(replaced.is(200).json()["settings"]["rules"], wiki()["rules"]);
    let mut closed = without;
    closed["rules"] = json!([]);
    let closed = program.put("/api/v1/apps/wiki", &closed).await;
    assert_eq!(closed.is(200).json()["settings"]["rules"], json!([]));
}

#[actix_web::test]
async fn the_lists_of_a_rule_are_bounded() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut program = with_groups(&app).await;
    for (field, entry) in
        [("users", ada.email), ("networks", "10.0.0.0/8"), ("groups", "staff"), ("methods", "GET")]
    {
        for (count, status) in [(200, 201), (201, 422)] {
            let mut body = wiki();
            body["rules"] = json!([{ "all": true, "groups": ["staff"] }]);
            body["rules"][0][field] = json!(vec![entry; count]);
            let answer = program.put(&format!("/api/v1/apps/{field}"), &with_origin(body, field)).await;
            if status == 201 {
                answer.is(201);
                program.delete(&format!("/api/v1/apps/{field}")).await.is(204);
            } else {
                answer.is_problem(422, "too-many-entries");
            }
        }
    }
}

fn with_origin(mut body: Value, host: &str) -> Value {
    body["origins"] = json!([format!("https://{host}.example.org")]);
    body
}

#[actix_web::test]
async fn an_app_from_a_file_is_read_only() {
    let app = TestApp::spawn();
    let mut program = with_groups(&app).await;
    program.put("/api/v1/apps/wiki", &wiki()).await.is(201);
    app.db.execute("UPDATE apps SET source = 'file'");
    app.accounts.sessions().wait_until_invalidated().await;
    assert_eq!(program.get("/api/v1/apps/wiki").await.is(200).json()["source"], "file");
    program.put("/api/v1/apps/wiki", &json!({ "origins": ["https://w.example.org"] })).await.is(409);
    program.delete("/api/v1/apps/wiki").await.is_problem(409, "from-file");
}

#[actix_web::test]
async fn explain_gives_the_decision_of_the_proxy() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut program = with_groups(&app).await;
    let mut body = wiki();
    body["rules"] = json!([
        { "below": "/public", "access": "open" },
        { "all": true, "groups": ["staff"], "factor": "two" },
    ]);
    program.put("/api/v1/apps/wiki", &body).await.is(201);
    let path = "/api/v1/apps/wiki/explain";
    let open = program.post(path, &json!({ "path": "/public/x?y" })).await.is(200).json();
    assert_eq!((&open["passes"], &open["rule"]), (&json!(true), &json!(1)));
    let visitor = program.post(path, &json!({ "path": "/" })).await.is(200).json();
    assert_eq!((&visitor["passes"], &visitor["rule"]), (&json!(false), &json!(2)));
    assert_eq!(visitor["skipped"], json!([{ "rule": 1, "why": "path" }]));
    let asked = json!({ "path": "/", "user": ada.email });
    let stranger = program.post(path, &asked).await.is(200).json();
    assert_eq!(stranger["passes"], false);
    program.put(&format!("/api/v1/groups/staff/members/{}", ada.id), &json!({})).await.is(204);
    let member = program.post(path, &asked).await.is(200).json();
    assert!(member["passes"] == false && member["code"] != stranger["code"], "{member}");
    let passkey = json!({ "path": "/", "user": ada.email, "login": "passkey" });
    assert_eq!(program.post(path, &passkey).await.is(200).json()["passes"], true);
    let with_token = json!({ "path": "/", "user": ada.email, "token": true });
    assert_eq!(program.post(path, &with_token).await.is(200).json()["passes"], false);
    body["rules"] = json!([{ "all": true, "access": "signed-in", "tokens": true }]);
    program.put("/api/v1/apps/wiki", &body).await.is(200);
    assert_eq!(program.post(path, &with_token).await.is(200).json()["passes"], true);
    for (asked, pointer) in [
        (json!({ "path": "/", "user": "x@example.org" }), "/user"),
        (json!({ "path": "/", "user": "x" }), "/user"),
        (json!({ "path": "/", "login": "retina" }), "/login"),
        (json!({ "path": "/", "from": "here" }), "/from"),
    ] {
        let answer = program.post(path, &asked).await;
        assert_eq!(answer.is(422).error().0, pointer, "{asked}");
    }
    program.post(path, &json!({})).await.is(422);
    program.post("/api/v1/apps/none/explain", &json!({ "path": "/" })).await.is_problem(404, "not-found");
}
