//! Tests the audit trail at the API: filters, pages without gaps, and newline-delimited JSON.

use latchkey::tokens::ApiScope;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Program, token_of};
use crate::support::app::TestApp;

#[actix_web::test]
async fn the_trail_is_read_in_order_starting_after_any_event() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for _ in 0..4 {
        app.logged_in(&ada).await;
    }
    let mut program = Program::of(&app, &grace, &[ApiScope::AuditRead]).await;
    let whole = program.get("/api/v1/audit?limit=200").await.is(200).json();
    let seqs: Vec<i64> =
        whole["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(seqs.len() >= 5 && seqs.is_sorted() && whole["next"].is_null(), "{seqs:?}");
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let page = program.get(&format!("/api/v1/audit?limit=2&after={after}")).await;
        let json = page.is(200).json();
        read.extend(json["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()));
        let Some(next) = json["next"].as_str() else { break };
        after = next.parse().expect("a number");
        let link = page.header("link").expect("a link");
        assert!(link.contains(&format!("after={after}")) && link.ends_with("rel=\"next\""), "{link}");
    }
    assert_eq!(read, seqs);
    assert!(
        program.get("/api/v1/audit?after=18446744073709551615").await.is(200).json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[actix_web::test]
async fn events_are_found_by_action_actor_subject_and_time() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    let mut program = Program::with_all(&app, &grace).await;
    program.patch(&format!("/api/v1/users/{}", ada.id), &json!({ "name": "Augusta" })).await.is(200);
    let acts = async |program: &mut Program, query: String| -> Vec<String> {
        let page = program.get(&format!("/api/v1/audit?{query}")).await.is(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|event| event["act"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(acts(&mut program, "act=logged-in".into()).await, ["logged-in"]);
    assert_eq!(acts(&mut program, format!("actor={}&subject={}", grace.id, ada.id)).await, ["name-changed"]);
    assert_eq!(acts(&mut program, format!("subject={}&act=name-changed", ada.id)).await, ["name-changed"]);
    let at = "2020-01-01T00:00:00Z";
    assert!(acts(&mut program, format!("to={at}")).await.is_empty());
    assert!(acts(&mut program, format!("from={at}")).await.len() > 2);
    assert!(acts(&mut program, "from=2099-01-01T00:00:00%2B02:00".into()).await.is_empty());
    let page = program.get("/api/v1/audit?act=name-changed").await.is(200).json();
    let event = &page["items"][0];
    assert_eq!((&event["by"], &event["actor"]["name"]), (&json!("admin"), &json!(grace.name)));
    assert_eq!(event["detail"], json!({ "from": ada.name, "to": "Augusta" }));
    assert_eq!(event["subject"]["id"], ada.id.to_string());
}

#[actix_web::test]
async fn the_trail_is_one_event_per_line_on_request() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.logged_in(&grace).await;
    let mut program = Program::of(&app, &grace, &[ApiScope::AuditRead]).await;
    let whole = program.get("/api/v1/audit").await.is(200).json();
    let request = program.request(Method::GET, "/api/v1/audit").header("accept", "application/x-ndjson");
    let lines = program.send(request).await;
    assert_eq!(lines.is(200).header("content-type"), Some("application/x-ndjson"));
    assert!(lines.header("link").is_none());
    let read: Vec<Value> =
        lines.body.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert_eq!(json!(read), whole["items"]);
    let request =
        program.request(Method::GET, "/api/v1/audit?limit=1").header("accept", "application/x-ndjson");
    let first = program.send(request).await;
    assert_eq!(first.is(200).body.lines().count(), 1);
    let link = first.header("link").expect("a link");
    let next = link.trim_start_matches('<').split('>').next().expect("a path").to_owned();
    let second = program.get(&next).await.is(200).json();
    assert_eq!(second["items"][0], whole["items"][1]);
}

#[actix_web::test]
async fn every_event_that_a_program_causes_names_its_token() {
    let app = TestApp::spawn();
    let (ada, grace, mary) = (app.ada().await, app.grace().await, app.mary().await);
    for _ in 0..3 {
        app.logged_in(&ada).await;
    }
    let token = token_of(&app, &grace, &ApiScope::ALL).await;
    let own = token_of(&app, &ada, &[ApiScope::Me]).await;
    let mut program = Program::with(&app, token.text.reveal());
    let last = program.items("/api/v1/sessions", 200).await[0]["handle"].as_str().unwrap().to_owned();
    let (user, role) = (format!("/api/v1/users/{}", mary.id), format!("/api/v1/users/{}/role", mary.id));
    program.patch(&user, &json!({ "name": "Mary Augusta", "disabled": true })).await.is(200);
    program.patch(&user, &json!({ "disabled": false })).await.is(200);
    for name in ["admin", "member"] {
        program.put(&role, &json!({ "role": name })).await.is(200);
    }
    program.put("/api/v1/groups/staff", &json!({ "note": "x" })).await.is(201);
    program.put("/api/v1/groups/staff", &json!({ "note": "y" })).await.is(200);
    program.put(&format!("/api/v1/groups/staff/members/{}", ada.id), &json!({})).await.is(204);
    program.delete(&format!("/api/v1/groups/staff/members/{}", ada.id)).await.is(204);
    program.delete("/api/v1/groups/staff").await.is(204);
    let wiki = json!({ "origins": ["https://wiki.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &wiki).await.is(201);
    let other = json!({ "origins": ["https://w.example.org"], "mode": "forward-auth" });
    program.put("/api/v1/apps/wiki", &other).await.is(200);
    program.delete("/api/v1/apps/wiki").await.is(204);
    let invited = program.post("/api/v1/invitations", &json!({ "email": "alan@example.org" })).await;
    program.delete(invited.is(201).header("location").expect("a path")).await.is(204);
    program.delete(&format!("/api/v1/sessions/{last}")).await.is(204);
    // The operator created the token, so no session is kept, and the event names none.
    Program::with(&app, own.text.reveal()).delete("/api/v1/me/sessions?others=true").await.is(204);
    let others = program.get("/api/v1/audit?act=sessions-revoked").await.is(200).json();
    assert_eq!(others["items"][0]["session"], Value::Null);
    assert_eq!(others["items"][0]["token"]["id"], own.record.id.to_string());
    program.delete(&format!("/api/v1/users/{}/sessions", ada.id)).await.is(204);

    let events = program.items("/api/v1/audit", 200).await;
    let by_program: Vec<&Value> =
        events.iter().filter(|event| event["actor"]["id"] == grace.id.to_string()).collect();
    for event in &by_program {
        let named = json!({ "id": token.record.id.to_string(), "name": token.record.name });
        assert_eq!(event["token"], named, "{event}");
        assert!(event["detail"].get("by_token").is_none(), "{event}");
    }
    let acts: std::collections::BTreeSet<&str> =
        by_program.iter().map(|event| event["act"].as_str().unwrap()).collect();
    for act in [
        "name-changed",
        "disabled",
        "enabled",
        "role-changed",
        "group.added",
        "group.changed",
        "group.joined",
        "group.left",
        "group.removed",
        "app.added",
        "app.changed",
        "app.removed",
        "invited",
        "invitation-withdrawn",
        "session-revoked",
        "token.revoked",
    ] {
        assert!(acts.contains(act), "{act} in {acts:?}");
    }
    let of =
        |act: &str| by_program.iter().find(|event| event["act"] == act).expect("an event")["detail"].clone();
    assert_eq!(of("invited"), "alan@example.org");
    assert_eq!(of("enabled"), "");
    assert_eq!(of("name-changed"), json!({ "from": mary.name, "to": "Mary Augusta" }));
    // Events without a program name none.
    assert!(events.iter().filter(|event| event["act"] == "logged-in").all(|event| event["token"].is_null()));
    let page = app.logged_in(&grace).await.get("/admin/audit").await;
    page.is(200).says(&format!("with the token {}", token.record.name));
    app.accounts.audit.verify_trail(None).await.expect("an unbroken chain");
}

#[actix_web::test]
async fn the_format_of_the_trail_is_negotiated() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut program = Program::of(&app, &grace, &[ApiScope::AuditRead]).await;
    for (accept, kind) in [
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson;q=0, application/json", "application/json"),
        ("*/*", "application/json"),
    ] {
        let request = program.request(Method::GET, "/api/v1/audit").header("accept", accept);
        let answer = program.send(request).await;
        assert_eq!(answer.is(200).header("content-type"), Some(kind), "{accept}");
        let vary = answer.header("vary").expect("Vary").to_ascii_lowercase();
        assert!(vary.contains("accept"), "{vary}");
    }
}
