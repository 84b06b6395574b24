//! The page that shows what would happen to a request.

use super::support::{add_rule, add_wiki, administrator, app};
use crate::support::browser::{Answer, Browser};

async fn tries(admin: &mut Browser, query: &str) -> Answer {
    admin.get(&format!("/admin/apps/wiki/try?{query}")).await
}

#[track_caller]
fn answers(page: &Answer, code: &str, decides: Option<&str>) {
    assert_eq!(page.is(200).codes("data-answer"), [code], "{}", page.body);
    assert_eq!(page.attribute("[data-notice=decides]", "data-rule").as_deref(), decides, "{code}");
}

#[actix_web::test]
async fn a_tried_request_gets_the_answer_of_the_rules_and_every_rule_that_was_asked() {
    let app = app();
    let ada = app.ada().await;
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    admin.fill_in("/admin/groups", &[("name", "staff")]).await.is(303);
    for fields in [
        &[("path", "/lan"), ("networks", "10.0.0.0/8"), ("access", "open")][..],
        &[("path", "/safe"), ("access", "signed-in"), ("factor", "two"), ("fresh", "600")],
        &[("path", "/staff"), ("access", "listed"), ("groups", "staff")],
        &[("path", "/dav"), ("access", "signed-in"), ("tokens", "1")],
    ] {
        add_rule(&mut admin, fields).await.is(303);
    }
    // The newest rule is first: /dav, /staff, /safe, /lan, every path.
    admin.get("/admin/apps/wiki/try").await.is(200).is_page("admin/apps/slug/try");
    answers(&tries(&mut admin, "path=%2F").await, "log-in", Some("5"));
    let as_ada = "as=ada%40example.org";
    let page = tries(&mut admin, &format!("{as_ada}&path=%2F")).await;
    answers(&page, "pass", Some("5"));
    assert_eq!(page.count("[data-rule]"), 5);
    answers(
        &tries(&mut admin, &format!("{as_ada}&path=%2Fstaff%2Fx%3Fa%3Db")).await,
        "not-listed",
        Some("2"),
    );
    answers(&tries(&mut admin, &format!("{as_ada}&path=%2Fsafe")).await, "second-factor-missing", Some("3"));
    let two = "with=password%2Btotp";
    answers(&tries(&mut admin, &format!("{as_ada}&{two}&path=%2Fsafe")).await, "pass", Some("3"));
    let old = "confirmed=86400";
    answers(&tries(&mut admin, &format!("{as_ada}&{two}&{old}&path=%2Fsafe")).await, "confirm", Some("3"));
    let token = "with=token";
    answers(&tries(&mut admin, &format!("{as_ada}&{token}&path=%2Fdav")).await, "pass", Some("1"));
    answers(&tries(&mut admin, &format!("{as_ada}&{token}&path=%2F")).await, "log-in", Some("5"));
    answers(&tries(&mut admin, "path=%2Flan&from=10.0.0.7").await, "pass-open", Some("4"));
    answers(&tries(&mut admin, "path=%2Flan&from=192.0.2.7").await, "log-in", Some("5"));
    answers(&tries(&mut admin, "path=%2Flan").await, "unknown-address", Some("4"));
    answers(&tries(&mut admin, "path=%2F%2Fstaff").await, "path-ambiguous", None);
    admin.get("/admin/groups/staff").await;
    admin.post("/admin/groups/staff/join", &[("email", ada.email)]).await.is(303);
    answers(&tries(&mut admin, &format!("{as_ada}&path=%2Fstaff")).await, "pass", Some("2"));
    admin.get("/admin/apps/wiki").await;
    admin.post("/admin/apps/wiki/disable", &[]).await.is(303);
    answers(&tries(&mut admin, "path=%2F").await, "unknown-app", None);
}

#[actix_web::test]
async fn a_user_or_an_address_that_cannot_be_tried_is_refused() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let refused = tries(&mut admin, "as=nobody%40example.org&path=%2F").await;
    refused.is(422).is_refused("unknown-user");
    assert_eq!(refused.attribute("#as", "value").as_deref(), Some("nobody@example.org"));
    tries(&mut admin, "as=x&path=%2F").await.is(422).is_refused("unknown-user");
    tries(&mut admin, "path=%2F&from=10.0.0").await.is(422).is_refused("invalid-ip");
}
