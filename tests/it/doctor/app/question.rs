//! Without the secret, the doctor's question is only one more header: no app receives it, and nothing answers it.

use crate::front::support::{User, wiki};
use crate::support::app::TestApp;

#[actix_web::test]
async fn without_a_valid_signature_there_is_nothing_to_ask() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let mut visitor = User::new(&app, &wiki);
    let unknown = visitor.at_app.get("/.latchkey/nothing").await;
    for path in ["/.latchkey/echo", "/.latchkey/doctor"] {
        for question in ["", "1.2.3", "1.2..3", "9999999999.once..signature"] {
            visitor.at_app.headers.push(("x-latchkey-doctor", question.to_owned()));
            let answer = visitor.at_app.get(path).await;
            assert_eq!((answer.status, unknown.status), (404, 404), "{path} {question}");
            assert_eq!(answer.header("content-type"), unknown.header("content-type"));
            assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
            visitor.at_app.headers.pop();
        }
    }
    // Elsewhere it changes nothing.
    visitor.at_app.headers.push(("x-latchkey-doctor", "1.once..signature".to_owned()));
    visitor.at_app.get("/").await.is(302);
}

#[actix_web::test]
async fn a_question_is_not_passed_on_to_the_app() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    wiki.upstream.forget();
    user.at_app.headers.push(("x-latchkey-doctor", "1.once..signature".to_owned()));
    user.at_app.get("/").await.is(200);
    let seen = wiki.upstream.only_request();
    assert!(!seen.headers.iter().any(|(name, _)| name.contains("latchkey")), "{:?}", seen.headers);
}
