//! What an app learns about its user behind a proxy, and what it never receives.

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;

use super::answers::{is, socket};
use super::behind::{Behind, cookie_line};
use crate::front::support::{User, Wiki};
use crate::support::upstream::Received;

/// Header lines with which a client claims to be another user: twelve spellings of `user` and `groups`, and one that has
/// ours removed.
fn forgeries(user: &str, groups: &str) -> [Vec<String>; 13] {
    let one = |name: &str| vec![format!("{name}: forged")];
    let underscores = |name: &str| name.replace('-', "_");
    let dots = |name: &str| name.replace('-', ".");
    [
        one(user),
        one(groups),
        one(&user.to_uppercase()),
        one(&user.to_lowercase()),
        [one(user), one(user)].concat(),
        [one(&groups.to_lowercase()), one(&groups.to_uppercase())].concat(),
        one(&underscores(user)),
        one(&dots(user)),
        [one(&underscores(groups)), one(&dots(groups))].concat(),
        one(&underscores(user).to_uppercase()),
        one(&dots(groups).to_lowercase()),
        one(&format!("HTTP_{}", underscores(user))),
        vec![format!("Connection: {user}, {groups}"), format!("{user}: forged")],
    ]
}

/// An app sees our identity headers and none of the client's, however they are spelled.
pub async fn forged(behind: &Behind, user: &User, board: &User) {
    let id = behind.ada.id.to_string();
    for (wiki, host, user, names) in [
        (
            &behind.wiki,
            "docs.localhost",
            user,
            ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"],
        ),
        (
            &behind.board,
            "board.localhost",
            board,
            ["X-Board-User", "X-Board-Email", "X-Board-Name", "X-Board-Groups"],
        ),
    ] {
        let cookies = cookie_line(&user.at_app);
        for lines in forgeries(names[0], names[3]) {
            for (path, cookies, expected) in [
                ("/", cookies.as_str(), [id.as_str(), behind.ada.email, behind.ada.name, ""]),
                ("/public", "Cookie: theme=dark", ["", "", "", ""]),
            ] {
                let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                lines.push(cookies);
                let seen = only(behind, wiki, host, path, &lines);
                for (name, expected) in names.iter().zip(expected) {
                    let lower = name.to_lowercase();
                    // A header that is not there says as much as an empty one.
                    assert_eq!(
                        seen.values(&lower).concat(),
                        expected,
                        "{:?} {lines:?} {seen:?}",
                        behind.program
                    );
                    assert!(seen.values(&lower).len() <= 1, "{seen:?}");
                }
                let is_forged = |(_, value): &&(String, String)| value.contains("forged");
                let forged: Vec<_> = seen.headers.iter().filter(is_forged).collect();
                assert!(forged.is_empty(), "{:?} {lines:?}: {forged:?}", behind.program);
            }
        }
    }
}

/// Headers with which a client says that its request is for another address, or comes from another client.
pub fn addresses(behind: &Behind, user: &User) {
    let cookies = cookie_line(&user.at_app);
    let lies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: forged",
        "X-Forwarded-Proto: https",
        "X-Forwarded-User: forged",
        "X-Forwarded-Uri: /forged",
        "X-Original-URL: /forged",
        "X-Rewrite-URL: /forged",
        "X-HTTP-Method-Override: DELETE",
        "Forwarded: for=203.0.113.9;host=forged",
        "X-Real-IP: 203.0.113.9",
        "X-Latchkey-Doctor: forged",
        &cookies,
    ];
    let seen = only(behind, &behind.wiki, "docs.localhost", "/", &lies);
    for (name, value) in &seen.headers {
        let is_a_lie = ["forged", "203.0.113.9", "DELETE"].iter().any(|lie| value.contains(lie));
        assert!(!is_a_lie && name != "x-http-method-override", "{:?}: {name}: {value}", behind.program);
    }
    assert_eq!(seen.values("x-forwarded-proto"), ["http"], "{:?}", behind.program);
}

/// Our cookies stay with Latchkey, and those of the app arrive as they were sent.
pub fn cookies(behind: &Behind, user: &User) {
    let key = user.at_app.cookies["latchkey-app"].clone();
    for (sent, kept) in [
        (format!("theme=dark; latchkey-app={key}; latchkey-state=abc; last=1"), Some("theme=dark; last=1")),
        (format!("latchkey-app={key}"), None),
        (format!("latchkey-state=abc; latchkey-app={key}"), None),
        (format!("latchkey-state=abc;latchkey-app={key};a=b"), Some("a=b")),
        (format!("a=latchkey-app; b=\"c d\"; latchkey-app={key}"), Some("a=latchkey-app; b=\"c d\"")),
        (format!("__Host-latchkey-app=x; latchkey-app={key}; mylatchkey-app=1"), Some("mylatchkey-app=1")),
    ] {
        let line = format!("Cookie: {sent}");
        let seen = only(behind, &behind.wiki, "docs.localhost", "/", &[&line]);
        let received = seen.values("cookie");
        if behind.program.strips_cookies() {
            let kept: Vec<&str> = kept.into_iter().collect();
            assert_eq!(received, kept, "{:?}: {sent}", behind.program);
        } else {
            assert_eq!(received, [sent.as_str()]);
        }
    }
}

/// The app's own `Authorization` changes no decision and arrives; an access token of ours opens what its rule says and does
/// not arrive.
pub async fn authorization(behind: &Behind, user: &User) {
    let cookies = cookie_line(&user.at_app);
    let own = format!("Authorization: Basic {}", BASE64.encode(b"ada:secret"));
    let seen = only(behind, &behind.wiki, "docs.localhost", "/", &[&own, &cookies]);
    assert_eq!(
        seen.values("authorization"),
        [own.trim_start_matches("Authorization: ")],
        "{:?}",
        behind.program
    );

    let token = behind.app.token(&behind.ada, &["app:wiki"]).await;
    let token = token.text.reveal();
    let password = BASE64.encode(format!("ada:{token}").as_bytes());
    for value in [format!("Bearer {token}"), format!("Basic {password}")] {
        let line = format!("Authorization: {value}");
        let seen = only(behind, &behind.wiki, "docs.localhost", "/dav/calendar", &[&line]);
        assert_eq!(seen.values("authorization"), [""; 0], "{:?}", behind.program);
        assert_eq!(seen.values("remote-user"), [behind.ada.id.to_string()], "{:?}", behind.program);
        is(behind, &behind.get("docs.localhost", "/", &[&line]), 401);
    }
}

/// A name in any script is one ASCII header, also at the handshake of a websocket.
pub async fn names(behind: &Behind) {
    behind.app.db.execute("UPDATE users SET name = E'C\\u00e9line \\u0414\\u0438\\u043c\\u0430\\r\\nX: y'");
    let user = behind.inside(&behind.wiki).await;
    let cookies = cookie_line(&user.at_app);
    let own = format!("Origin: http://docs.localhost:{}", behind.http);
    behind.wiki.upstream.forget();
    is(behind, &behind.ask(socket(behind, &[&own, &cookies])), 101);
    let seen = behind.wiki.upstream.only_request();
    let name = seen.values("remote-name").concat();
    assert_eq!(name, "C%C3%A9line %D0%94%D0%B8%D0%BC%D0%B0%0D%0AX: y", "{:?}", behind.program);
    assert_eq!(percent_decode_str(&name).decode_utf8_lossy(), "Céline Дима\r\nX: y");
    assert_eq!(seen.values("x"), [""; 0]);
    behind.app.db.execute(&format!("UPDATE users SET name = '{}'", behind.ada.name));
}

/// A user in many groups has one long header.
pub async fn many_groups(behind: &Behind) {
    let group = |number: usize| format!("department-{number:03}-{}", "x".repeat(40));
    let groups: Vec<String> = (0..200).map(group).collect();
    let list = groups.iter().map(|name| format!("('{name}')")).collect::<Vec<_>>().join(",");
    let id = behind.ada.id;
    behind.app.db.execute(&format!(
        "INSERT INTO groups (name) VALUES {list}; \
         INSERT INTO group_members (group_name, user_id) SELECT name, '{id}' FROM groups"
    ));
    let user = behind.inside(&behind.wiki).await;
    let seen = only(behind, &behind.wiki, "docs.localhost", "/", &[&cookie_line(&user.at_app)]);
    assert_eq!(seen.values("remote-groups"), [groups.join(",")], "{:?}", behind.program);
    assert_eq!(seen.values("remote-user"), [id.to_string()], "{:?}", behind.program);
    behind.app.db.execute("DELETE FROM group_members; DELETE FROM groups");
}

/// The request as it arrived at the app.
#[track_caller]
fn only(behind: &Behind, wiki: &Wiki, host: &str, path: &str, headers: &[&str]) -> Received {
    wiki.upstream.forget();
    is(behind, &behind.get(host, path, headers), 200);
    wiki.upstream.only_request()
}
