//! Radicale: a calendar in its own pages, and every method of WebDAV and CalDAV that they and other programs use.

use std::fs;

use serde_json::{Value, json};

use super::front_door::{FrontDoor, fetch, text};
use super::program::{Program, from_pypi};
use super::report::Row;
use crate::support::chrome::Chrome;

/// The header that Radicale reads for `type = http_x_remote_user`.
const SETTINGS: &str = r#"
remote_user = "email"
headers = { user = "X-Remote-User" }
rules = [
    { below = "/grace@example.org", groups = ["editors"] },
    { all = true, access = "signed-in" },
]"#;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests\r\nBEGIN:VEVENT\r\nUID:first\r\n\
                     DTSTAMP:20261130T100000Z\r\nDTSTART:20261201T100000Z\r\nSUMMARY:First flight\r\n\
                     END:VEVENT\r\nEND:VCALENDAR\r\n";

const QUERY: &str = "<calendar-query xmlns=\"urn:ietf:params:xml:ns:caldav\" xmlns:d=\"DAV:\"><d:prop><d:getetag/>\
                     <calendar-data/></d:prop><filter><comp-filter name=\"VCALENDAR\"/></filter></calendar-query>";

pub async fn a_calendar_is_kept() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let app = Program::start(|port, dir| {
        let configuration = format!(
            "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = http_x_remote_user\n[rights]\ntype = owner_only\n\
             [web]\ntype = internal\nprefer_browser_login = True\n[storage]\nfilesystem_folder = {}\n",
            dir.path().join("collections").display()
        );
        let file = dir.path().join("config");
        fs::write(&file, configuration).expect("a configuration");
        let mut command = from_pypi("radicale", "radicale");
        command.arg("--config").arg(file);
        command
    })
    .await;
    door.register("calendar", app.port, SETTINGS);
    let chrome = door.chrome().await;
    door.log_in_on_the_way(&chrome, "calendar", "/.web/", &door.ada).await;
    create_in_its_pages(&chrome).await;
    every_method_arrives(&chrome, &door.origin("calendar")).await;
    // Radicale's own rights: another user's collections are closed, and a client's header is not trusted.
    for name in ["X-Other", "X-Remote-User", "X_Remote_User", "Remote-User"] {
        let headers = json!({ name: "mary@example.org" });
        let options = json!({"method": "PUT", "body": EVENT, "headers": headers});
        let refused = fetch(&chrome, "/mary@example.org/c/x.ics", options).await;
        assert!(text(&refused, 403).contains("requested resource forbidden"), "{refused}");
    }
    // Our rule: for editors only.
    let refused = fetch(&chrome, "/grace%40example.org/", json!({"method": "PROPFIND"})).await;
    assert!(text(&refused, 403).contains("not-allowed"), "{refused}");
    door.is_one_of_two_apps(&chrome, "calendar", &door.ada).await;
    vec![
        Row::went("log-in by X-Remote-User, a calendar created in its pages"),
        Row::went(
            "MKCALENDAR, PUT, PROPFIND with Depth, REPORT, PROPPATCH, MOVE with Destination, If-Match, DELETE, OPTIONS",
        ),
        Row::went("forged headers, another user's collections, a rule for a group"),
        Row::went("home page with both apps; the log-out at the portal closes both, also to an open page"),
    ]
}

async fn create_in_its_pages(chrome: &Chrome) {
    let click = async |selector: &str| {
        chrome.waits_for(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    };
    click("#collectionsscene:not(.hidden) a[data-name=new]").await;
    click("#createcollectionscene:not(.hidden) option[value=CALENDAR]").await;
    let title = chrome.waits_for("#createcollectionscene:not(.hidden) [data-name=displayname]").await;
    title.send_keys("Flights").await.expect("typing");
    click("#createcollectionscene:not(.hidden) [data-name=submit]").await;
    chrome.waits_for("#collectionsscene:not(.hidden) article:not(.hidden) [data-name=title]").await;
    chrome.says("Flights").await;
}

async fn every_method_arrives(chrome: &Chrome, origin: &str) {
    let dav = async |method: &str, path: &str, headers: Value, body: Option<&str>| {
        fetch(chrome, path, json!({"method": method, "headers": headers, "body": body})).await
    };
    let home = "/ada@example.org";
    text(&dav("MKCALENDAR", &format!("{home}/team/"), json!({}), None).await, 201);
    let event = format!("{home}/team/first.ics");
    let new = json!({"Content-Type": "text/calendar", "If-None-Match": "*"});
    text(&dav("PUT", &event, new.clone(), Some(EVENT)).await, 201);
    text(&dav("PUT", &event, new, Some(EVENT)).await, 412);

    let depth = async |depth: &str| {
        let answer = dav("PROPFIND", &format!("{home}/team/"), json!({"Depth": depth}), None).await;
        text(&answer, 207).to_owned()
    };
    let (alone, with_events) = (depth("0").await, depth("1").await);
    assert!(!alone.contains("first.ics") && with_events.contains("first.ics"), "{alone}\n{with_events}");
    let report = dav("REPORT", &format!("{home}/team/"), json!({"Depth": "1"}), Some(QUERY)).await;
    assert!(text(&report, 207).contains("SUMMARY:First flight"), "{report}");
    let name = "<propertyupdate xmlns=\"DAV:\"><set><prop><displayname>Team</displayname></prop></set></propertyupdate>";
    text(&dav("PROPPATCH", &format!("{home}/team/"), json!({}), Some(name)).await, 207);

    let moved = format!("{home}/team/moved.ics");
    let to = json!({"Destination": format!("{origin}{moved}"), "Overwrite": "F"});
    text(&dav("MOVE", &event, to, None).await, 201);
    text(&dav("GET", &event, json!({}), None).await, 404);
    let found = dav("GET", &moved, json!({}), None).await;
    assert!(text(&found, 200).contains("First flight"));
    let etag = found["headers"]["etag"].as_str().expect("an ETag").to_owned();
    text(&dav("DELETE", &moved, json!({"If-Match": "\"another\""}), None).await, 412);
    text(&dav("DELETE", &moved, json!({"If-Match": etag}), None).await, 200);
    let options = dav("OPTIONS", &format!("{home}/team/"), json!({}), None).await;
    text(&options, 200);
    assert!(
        options["headers"]["dav"].as_str().is_some_and(|dav| dav.contains("calendar-access")),
        "{options}"
    );
}
