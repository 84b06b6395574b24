//! JupyterLab: its pages, its contents, and its kernels over websockets.

use std::fs;

use serde_json::{Value, json};

use super::front_door::{FrontDoor, fetch, text};
use super::kernel::{a_notebook_computes, a_socket_is_closed_with_its_session, api, start_kernel};
use super::program::{Program, from_pypi, webapp};
use super::report::Row;
use crate::support::chrome::Chrome;

/// Only editors may open a shell.
const SETTINGS: &str = r#"
rules = [
    { below = "/api/terminals", groups = ["editors"] },
    { below = "/terminals", groups = ["editors"] },
    { all = true, access = "signed-in" },
]"#;

pub async fn notebooks_are_kept() -> Vec<Row> {
    let door = FrontDoor::start().await;
    let app = Program::start(|port, dir| {
        let notebooks = dir.path().join("notebooks");
        fs::create_dir(&notebooks).expect("a directory");
        fs::write(notebooks.join("earlier.txt"), "written earlier").expect("a file");
        let mut command = from_pypi("jupyter", "jupyter-lab");
        command.arg("--config").arg(webapp("jupyter").join("jupyter_server_config.py"));
        command.args(["--ip=127.0.0.1", "--ServerApp.port_retries=0", "--allow-root"]);
        command.arg(format!("--port={port}")).arg(format!("--ServerApp.root_dir={}", notebooks.display()));
        command
    })
    .await;
    door.register("jupyter", app.port, SETTINGS);
    let chrome = door.chrome().await;
    door.log_in_on_the_way(&chrome, "jupyter", "/lab", &door.ada).await;
    chrome.waits_for(".jp-DirListing-item[title*='earlier.txt']").await;

    let me: Value =
        serde_json::from_str(text(&api(&chrome, "GET", "/api/me", None).await, 200)).expect("JSON");
    assert_eq!(
        (&me["identity"]["username"], &me["identity"]["name"]),
        (&json!(door.ada.id.to_string()), &json!(door.ada.name))
    );
    files_are_written_and_read(&chrome).await;
    kernels_start_and_end(&chrome).await;
    text(&api(&chrome, "POST", "/api/terminals", None).await, 403);
    a_notebook_computes(&door, &chrome).await;
    // Jupyter itself refuses requests without the token of its page.
    let forged = fetch(&chrome, "/api/contents/x.txt", json!({"method": "DELETE"})).await;
    text(&forged, 403);
    door.is_one_of_two_apps(&chrome, "jupyter", &door.ada).await;
    door.log_in_on_the_way(&chrome, "jupyter", "/lab", &door.ada).await;
    a_socket_is_closed_with_its_session(&door, &chrome).await;
    vec![
        Row::went("log-in on the way, the page of JupyterLab, the user's name from the headers"),
        Row::went(
            "contents created, renamed, downloaded, deleted; a kernel started, interrupted, ended; a rule for a group",
        ),
        Row::went(
            "a cell of a notebook computes 1+1 in the page; a websocket to a kernel gets 1008 when the session ends",
        ),
        Row::went("home page with both apps; the log-out at the portal closes both, also to an open page"),
    ]
}

async fn files_are_written_and_read(chrome: &Chrome) {
    let file = json!({"type": "file", "format": "text", "content": "written by a test"});
    text(&api(chrome, "PUT", "/api/contents/new.txt", Some(file)).await, 201);
    let listed = api(chrome, "GET", "/api/contents/", None).await;
    assert!(text(&listed, 200).contains("new.txt"), "{listed}");
    text(&api(chrome, "PATCH", "/api/contents/new.txt", Some(json!({"path": "a b ü.txt"}))).await, 200);
    let name = "/a%20b%20%C3%BC.txt";
    let read = fetch(chrome, &format!("/files{name}"), json!({})).await;
    assert_eq!(text(&read, 200), "written by a test");
    text(&api(chrome, "DELETE", &format!("/api/contents{name}"), None).await, 204);
    text(&api(chrome, "GET", &format!("/api/contents{name}"), None).await, 404);
}

async fn kernels_start_and_end(chrome: &Chrome) {
    let kernel = start_kernel(chrome).await;
    text(&api(chrome, "POST", &format!("/api/kernels/{kernel}/interrupt"), None).await, 204);
    text(&api(chrome, "DELETE", &format!("/api/kernels/{kernel}"), None).await, 204);
}
