//! Latchkey has stopped: nothing reaches an app, open paths neither.

use super::behind::{Behind, cookie_line};
use crate::front::support::User;

pub async fn latchkey_stopped(behind: &Behind, user: &User) {
    let cookies = cookie_line(&user.at_app);
    behind.app.stop().await;
    behind.wiki.upstream.forget();
    behind.board.upstream.forget();
    let expected = behind.program.status_without_latchkey();
    for (host, path, headers) in [
        ("docs.localhost", "/", [cookies.as_str(), "Sec-Fetch-Mode: cors"]),
        ("docs.localhost", "/page", [cookies.as_str(), "Sec-Fetch-Mode: navigate"]),
        ("docs.localhost", "/public", ["Accept: */*", "Sec-Fetch-Mode: cors"]),
        ("board.localhost", "/public", ["Accept: */*", "Sec-Fetch-Mode: cors"]),
    ] {
        let answer = behind.get(host, path, &headers);
        assert_eq!(
            answer.status(),
            expected,
            "{:?} {path}: {}\n{}",
            behind.program,
            answer.text,
            behind.log()
        );
        if expected == 503 {
            assert_eq!(answer.values("retry-after"), ["5"], "{:?} {path}: {}", behind.program, answer.text);
        }
    }
    let received = [behind.wiki.upstream.received(), behind.board.upstream.received()].concat();
    assert!(received.is_empty(), "{:?}: {received:?}", behind.program);
}
