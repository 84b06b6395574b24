//! A static site of nginx: pages, pictures, ranges, and responses that a browser has cached.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::front_door::{FrontDoor, fetch, text};
use super::program::Program;
use super::report::Row;
use crate::cluster::nginx;
use crate::support::process::DataDir;

const SETTINGS: &str = r#"
rules = [
    { below = "/public", access = "open" },
    { below = "/drafts", groups = ["editors"] },
    { all = true, access = "signed-in" },
]"#;

const PAGE: &str = "<!DOCTYPE html><html lang=en><title>Site</title><main><h1>The site</h1>
<img id=picture src=/picture.svg alt=Circle><p><a href=/second.html>Second page</a></main>";

const PICTURE: &str =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"30\"><circle r=\"9\"/></svg>";

/// Bytes of the file that is requested in parts.
const LENGTH: usize = 1_000_000;

pub async fn pages_are_read() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let site = Program::start(serve).await;
    door.register("site", site.port, SETTINGS);
    let chrome = door.chrome().await;

    door.open(&chrome, "site", "/public/").await;
    chrome.says("For everyone").await;
    door.log_in_on_the_way(&chrome, "site", "/index.html", &door.ada).await;
    chrome.says("The site").await;
    let width = chrome.run("return document.getElementById('picture').naturalWidth;", vec![]).await;
    assert_eq!(width, 40);
    chrome.press("Second page").await;
    chrome.says("The second page").await;
    door.open(&chrome, "site", "/drafts/").await;
    chrome.shows_on_main("data-error", "not-allowed").await;
    door.open(&chrome, "site", "/missing").await;
    assert!(chrome.text().await.contains("404 Not Found"), "{}", chrome.text().await);

    door.open(&chrome, "site", "/").await;
    let whole = fetch(&chrome, "/numbers.txt", json!({})).await;
    assert_eq!(text(&whole, 200), numbers());
    assert_eq!(header(&whole, "cache-control"), "private");
    let part = fetch(&chrome, "/numbers.txt", json!({"headers": {"Range": "bytes=500000-500099"}})).await;
    assert_eq!(text(&part, 206), &numbers()[500_000..500_100]);
    assert_eq!(header(&part, "content-range"), format!("bytes 500000-500099/{LENGTH}"));
    let beyond = fetch(&chrome, "/numbers.txt", json!({"headers": {"Range": "bytes=2000000-"}})).await;
    text(&beyond, 416);
    let known = header(&whole, "etag");
    let again = fetch(&chrome, "/numbers.txt", json!({"headers": {"If-None-Match": known}})).await;
    assert_eq!((text(&again, 304), header(&again, "etag")), ("", known));
    let head = fetch(&chrome, "/numbers.txt", json!({"method": "HEAD"})).await;
    assert_eq!((text(&head, 200), header(&head, "content-length")), ("", LENGTH.to_string().as_str()));

    door.is_one_of_two_apps(&chrome, "site", &door.ada).await;
    vec![
        Row::went("pages, a picture, a missing page, an open part, a rule for a group"),
        Row::went("206 of a range, 416, 304 for a known ETag, HEAD with its length"),
        Row::went("home page with both apps; the log-out at the portal closes both, also to an open page"),
    ]
}

#[track_caller]
fn header<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer["headers"][name].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer["headers"]))
}

fn numbers() -> String {
    let mut text: String = (0..LENGTH / 5).map(|number| format!("{number}\n")).collect();
    text.truncate(LENGTH);
    text
}

fn serve(port: u16, dir: &DataDir) -> Command {
    let site = dir.path().join("site");
    for (path, content) in [
        ("index.html", PAGE),
        ("second.html", "<!DOCTYPE html><title>Second</title><main><h1>The second page</h1></main>"),
        ("picture.svg", PICTURE),
        ("public/index.html", "<!DOCTYPE html><title>Public</title><main><h1>For everyone</h1></main>"),
        ("drafts/index.html", "<!DOCTYPE html><title>Drafts</title><main><h1>Drafts</h1></main>"),
        ("numbers.txt", &numbers()),
    ] {
        let file = site.join(path);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, content).expect("a file");
    }
    serve_directory(port, dir, "site")
}

/// nginx for the files in a directory below `dir`.
pub fn serve_directory(port: u16, dir: &DataDir, name: &str) -> Command {
    let path = dir.path();
    let here = path.display();
    let user = if nix::unistd::geteuid().is_root() { "user nobody nogroup;" } else { "" };
    let configuration = format!(
        "daemon off; {user} worker_processes 1; pid {here}/nginx.pid; error_log {here}/error.log warn;
        events {{ worker_connections 512; }}
        http {{
            access_log off; sendfile on;
            types {{ text/html html; text/plain txt; image/svg+xml svg; }}
            client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;
            fastcgi_temp_path {here}/fastcgi; uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
            server {{ listen 127.0.0.1:{port}; root {here}/{name}; }}
        }}\n"
    );
    fs::write(path.join("nginx.conf"), configuration).expect("a configuration");
    let mut command = Command::new(nginx::program());
    command.arg("-e").arg(path.join("error.log")).arg("-p").arg(path).arg("-c").arg("nginx.conf");
    command
}
