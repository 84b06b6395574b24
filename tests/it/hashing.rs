//! Many log-ins at once: the number of hashes is bounded, and so is the queue; beyond it the answer is 503 with
//! Retry-After.

use futures_util::future::join_all;
use latchkey::config::Hashing;

use crate::support::app::TestApp;

/// One hash at a time, two callers may wait, and each hash takes long enough for the others to arrive.
const NARROW: Hashing =
    Hashing { memory_kib: 64 * 1024, iterations: 4, parallelism: 1, permits: 1, queue: 2 };

#[actix_web::test]
async fn log_ins_beyond_the_queue_are_told_to_come_back_and_sessions_are_not_disturbed() {
    let app = TestApp::spawn_with(|settings| settings.hashing = NARROW);
    let ada = app.ada().await;
    let mut inside = app.logged_in(&ada).await;
    let mut browsers: Vec<_> = (0..12).map(|_| app.browser()).collect();
    for browser in &mut browsers {
        browser.get("/login").await;
    }
    let hammering = join_all(browsers.iter_mut().map(|browser| {
        browser.post("/login", &[("email", "nobody@example.org"), ("password", "whatever-it-may-be")])
    }));
    let visiting = async {
        for _ in 0..20 {
            inside.get("/home").await.is(200);
        }
    };
    let (answers, ()) = futures_util::future::join(hammering, visiting).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty(), "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in busy {
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
        answer.is_error("busy");
    }
    assert!(answers.iter().all(|answer| [422, 429, 503].contains(&answer.status)));
    app.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
}
