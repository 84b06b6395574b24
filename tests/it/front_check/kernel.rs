//! A kernel of Jupyter, reached over its websocket: it computes, and the socket is closed when the session ends.

use serde_json::{Value, json};

use super::front_door::{FrontDoor, fetch, text};
use crate::support::chrome::Chrome;
use crate::support::process::eventually;

/// Policy violation (RFC 6455 §7.4.1): the code that a client gets when its session has ended.
const POLICY_VIOLATION: u16 = 1008;

/// Opens a notebook in JupyterLab and runs its only cell.
pub async fn a_notebook_computes(door: &FrontDoor, chrome: &Chrome) {
    let cell = json!({"cell_type": "code", "id": "sum", "execution_count": null, "metadata": {}, "outputs": [], "source": "1+1"});
    let metadata = json!({"kernelspec": {"name": "python3", "display_name": "Python 3"}});
    let content = json!({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5});
    let notebook = json!({"type": "notebook", "format": "json", "content": content});
    text(&api(chrome, "PUT", "/api/contents/sum.ipynb", Some(notebook)).await, 201);
    door.open(chrome, "jupyter", "/lab/tree/sum.ipynb").await;
    chrome.waits_for(".jp-Notebook .jp-CodeCell .cm-content").await.click().await.expect("a click");
    // Shift and Enter.
    chrome.keys("\u{E008}\u{E007}\u{E008}").await;
    eventually("the sum", async || {
        let script = "return document.querySelector('.jp-OutputArea-output')?.textContent ?? '';";
        let output = chrome.run(script, vec![]).await;
        output.as_str().is_some_and(|text| text.trim() == "2").then_some(())
    })
    .await;
}

/// Computes over a websocket of its own, then ends the session in another browser.
pub async fn a_socket_is_closed_with_its_session(door: &FrontDoor, chrome: &Chrome) {
    let kernel = start_kernel(chrome).await;
    let script = "
        const [kernel, done] = arguments;
        const socket = new WebSocket(`ws://${location.host}/api/kernels/${kernel}/channels`);
        socket.onclose = ({ code }) => { window.closeCode = code; };
        socket.onmessage = ({ data }) => {
            const message = JSON.parse(data);
            if (message.msg_type === 'execute_result') done(message.content.data['text/plain']);
        };
        socket.onopen = () => socket.send(JSON.stringify({
            channel: 'shell',
            header: { msg_id: 'sum', msg_type: 'execute_request', session: 'test', username: '', version: '5.3' },
            parent_header: {},
            metadata: {},
            content: { code: '1+1', silent: false, store_history: true, user_expressions: {}, allow_stdin: false },
        }));";
    assert_eq!(chrome.run_async(script, vec![json!(kernel)]).await, "2");
    assert_eq!(close_code(chrome).await, Value::Null, "the socket stays open");

    door.end_other_sessions(&door.ada).await;
    let code = eventually("the end of the socket", async || {
        let code = close_code(chrome).await;
        (!code.is_null()).then_some(code)
    })
    .await;
    assert_eq!(code, POLICY_VIOLATION);
}

async fn close_code(chrome: &Chrome) -> Value {
    chrome.run("return window.closeCode ?? null;", vec![]).await
}

pub async fn start_kernel(chrome: &Chrome) -> String {
    let started = api(chrome, "POST", "/api/kernels", Some(json!({"name": "python3"}))).await;
    let kernel: Value = serde_json::from_str(text(&started, 201)).expect("JSON");
    kernel["id"].as_str().expect("its id").to_owned()
}

/// A request as Jupyter's own pages send it, with the token of their cookie.
pub async fn api(chrome: &Chrome, method: &str, path: &str, body: Option<Value>) -> Value {
    let token = chrome.run("return /_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? '';", vec![]).await;
    let headers = json!({"X-XSRFToken": token, "Content-Type": "application/json"});
    let body = body.map(|body| body.to_string());
    fetch(chrome, path, json!({"method": method, "headers": headers, "body": body})).await
}
