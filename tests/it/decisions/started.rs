//! The listener of the real program: its settings, its log, and its end.

use nix::sys::signal::Signal;
use reqwest::Client;

use crate::support::db::TestDb;
use crate::support::process::{Latchkey, free_port};

#[actix_web::test]
async fn the_listener_is_off_unless_it_has_a_port_and_is_on_this_machine_alone() {
    let db = TestDb::new();
    let port = free_port();
    let running = Latchkey::on(&db.url()).serve_ready().await;
    assert!(!running.log().iter().any(|line| line.contains("the questions of proxies")));
    drop(running);
    let program = Latchkey::on(&db.url()).with("LATCHKEY__FRONT__PORT", port);
    let mut running = program.serve_ready().await;
    let line = running.logged("listening for the questions of proxies").await;
    assert_eq!(line["address"], format!("127.0.0.1:{port}"));
    // A family that is not as it should be is named in the log once.
    let client = Client::builder().no_proxy().build().expect("a client");
    let asked = client.get(format!("http://127.0.0.1:{port}/decide/forward/wiki"));
    let asked = asked.header("x-forwarded-host", "wiki.localhost").header("x-forwarded-proto", "https");
    assert_eq!(asked.header("connection", "close").send().await.expect("an answer").status(), 403);
    let line = running.logged("front.misconfigured").await;
    assert_eq!(line["header"], "x-forwarded-uri", "{line}");
    assert_eq!((&line["why"], &line["app"]), (&"missing".into(), &"wiki".into()), "{line}");
    let served = running.logged("\"proxy\":\"forward\"").await;
    assert_eq!(served["status"], 403, "{served}");
    let log = running.stop(Signal::SIGTERM).await;
    assert_eq!(log.iter().filter(|line| line.contains("front.misconfigured")).count(), 1);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn ports_that_serve_something_else_and_no_hop_are_refused() {
    let program = Latchkey::on("postgres://someone@db.example.org/latchkey").with("PORT", 9000);
    for (name, value, says) in [
        ("LATCHKEY__FRONT__PORT", "9000", "LATCHKEY__FRONT__PORT is 9000"),
        ("LATCHKEY__FRONT__PORT", "9100", "LATCHKEY__FRONT__PORT is 9100"),
        ("LATCHKEY__FRONT__HOPS", "0", "LATCHKEY__FRONT__HOPS is 0"),
        ("LATCHKEY__FRONT__BIND", "localhost", "LATCHKEY__FRONT__BIND"),
        ("LATCHKEY__FRONT__HOPES", "1", "LATCHKEY__FRONT__HOPES"),
    ] {
        let ran = program.clone().with("LATCHKEY__METRICS__PORT", 9100).with(name, value).run(&["config"]);
        assert!(ran.refused().contains(says), "{name}: {}", ran.err);
    }
}
