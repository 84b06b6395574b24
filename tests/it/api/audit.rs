//! Tests the audit trail at the API: filters, pages without gaps, and newline-delimited JSON.

use latchkey::tokens::ApiScope;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::Program;
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
    assert!(acts(&mut program, "act=unheard-of".into()).await.is_empty());
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
