//! A Django app with `RemoteUserMiddleware`, its own sessions and CSRF tokens.

use serde_json::json;

use super::front_door::{FrontDoor, fetch, text};
use super::program::{Program, gunicorn};
use super::report::Row;
use crate::support::app::Person;
use crate::support::browser::Browser;
use crate::support::chrome::Chrome;

/// `/public` is open, and `/editors` is for one group.
const SETTINGS: &str = r#"
app_cookies = ["sessionid", "csrftoken"]
rules = [
    { below = "/public", access = "open" },
    { below = "/editors", groups = ["editors"] },
    { all = true, access = "signed-in" },
]"#;

/// Every way to write one of the headers that the app trusts.
const SPELLINGS: [&str; 6] =
    ["Remote-User", "REMOTE-USER", "Remote_User", "REMOTE_USER", "Remote.User", "remote-user"];

pub async fn notes_are_kept_and_posted() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let host = "notes.localhost";
    let app = Program::start(|port, dir| {
        let mut command = gunicorn(port, "notes");
        command.env("NOTES_HOST", host).env("NOTES_DATABASE", dir.path().join("notes.sqlite3"));
        command
    })
    .await;
    door.register("notes", app.port, SETTINGS);
    let chrome = door.chrome().await;

    door.open(&chrome, "notes", "/public").await;
    chrome.says("Hello, visitor").await;
    believes_no_forged_header(&chrome, "/public", None).await;

    door.log_in_on_the_way(&chrome, "notes", "/", &door.ada).await;
    is_user(&chrome, &door.ada).await;
    post_a_note(&chrome, "of Ada").await;
    let cookies = chrome.cookies(&door.origin("notes")).await;
    assert_eq!(cookies, ["csrftoken", "latchkey-app", "latchkey-state", "sessionid"]);
    believes_no_forged_header(&chrome, "/", Some(&door.ada)).await;
    believes_no_forged_header_of_a_program(&door).await;

    // Django itself refuses a form without its token, and says so through Latchkey.
    let headers = json!({"Content-Type": "application/x-www-form-urlencoded"});
    let form = json!({"method": "POST", "headers": headers, "body": "note=x"});
    text(&fetch(&chrome, "/", form).await, 403);

    door.open(&chrome, "notes", "/editors").await;
    chrome.shows_on_main("data-error", "not-allowed").await;
    door.is_one_of_two_apps(&chrome, "notes", &door.ada).await;

    // Another user in the same browser. Django would keep the session of the first one.
    door.log_in_on_the_way(&chrome, "notes", "/editors", &door.grace).await;
    is_user(&chrome, &door.grace).await;
    assert_eq!(texts(&chrome, "#groups").await, ["editors"]);
    assert!(texts(&chrome, "li").await.is_empty(), "{}", chrome.text().await);
    post_a_note(&chrome, "of Grace").await;
    vec![
        Row::went(
            "log-in on the way, a posted form with Django's CSRF token, its own session cookie, a rule for a group",
        ),
        Row::went("forged identity headers, by a visitor, a user and a program"),
        Row::went("home page with both apps; the log-out at the portal closes both, also to an open page"),
        Row::went("another user in the same browser sees nothing of the first"),
    ]
}

async fn post_a_note(chrome: &Chrome, note: &str) {
    chrome.type_in("Note", note).await;
    chrome.press("Save").await;
    chrome.says(note).await;
    assert_eq!(texts(chrome, "li").await, [note]);
}

async fn is_user(chrome: &Chrome, person: &Person) {
    chrome.says(&format!("Hello, {}", person.name)).await;
    assert_eq!(texts(chrome, "#user").await, [person.id.to_string()]);
    assert_eq!(texts(chrome, "#email").await, [person.email]);
}

/// The texts of every element that matches on the page that is open.
async fn texts(chrome: &Chrome, selector: &str) -> Vec<String> {
    let script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent);";
    let found = chrome.run(script, vec![json!(selector)]).await;
    serde_json::from_value(found).expect("texts")
}

/// The page of the app sends headers with another user's id.
async fn believes_no_forged_header(chrome: &Chrome, path: &str, user: Option<&Person>) {
    let forged: Vec<[&str; 2]> = SPELLINGS.iter().map(|name| [*name, "mallory"]).collect();
    let answer = fetch(chrome, path, json!({"headers": forged})).await;
    shows_only(text(&answer, 200), user);
}

/// A program that has the cookies of a browser sends each of them alone.
async fn believes_no_forged_header_of_a_program(door: &FrontDoor) {
    let mut inside = door.inside("notes", &door.ada).await;
    let mut visitor = Browser::new(&door.origin("notes"));
    for name in SPELLINGS {
        for (browser, path, user) in
            [(&mut inside.at_app, "/", Some(&door.ada)), (&mut visitor, "/public", None)]
        {
            let asked = browser.headers.clone();
            browser.headers.extend([
                (name, "mallory".to_owned()),
                ("Connection", name.to_owned()),
                ("X-Forwarded-User", "mallory".to_owned()),
            ]);
            let answer = browser.get(path).await;
            browser.headers = asked;
            answer.is(200);
            shows_only(&answer.body, user);
        }
    }
}

#[track_caller]
fn shows_only(page: &str, user: Option<&Person>) {
    let id = user.map(|user| user.id.to_string()).unwrap_or_default();
    assert!(page.contains(&format!("<code id=\"user\">{id}</code>")), "{page}");
    assert!(!page.contains("mallory"), "{page}");
}
