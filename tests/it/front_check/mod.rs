//! Real web apps behind the real program, most of them in a real browser. `bin/front-check` runs every part or the
//! given ones, and prints a table; the tests are a short part of it.

mod busy;
mod django;
mod front_door;
mod idle;
mod jupyter;
mod kernel;
mod load;
mod memory;
pub mod program;
mod radicale;
pub mod report;
mod static_site;
mod streams;

use std::any::Any;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use self::report::{Report, Row};
use crate::proxies::every_check;
use crate::proxies::program::ProxyProgram;
use crate::support::files::root;
use crate::support::parts::{Part, chosen};

type Run = Pin<Box<dyn Future<Output = Vec<Row>>>>;

/// In the order of docs/apps.md.
const PARTS: [Part<Run>; 14] = [
    ("django", || Box::pin(django::notes_are_kept_and_posted())),
    ("radicale", || Box::pin(radicale::a_calendar_is_kept())),
    ("jupyter", || Box::pin(jupyter::notebooks_are_kept())),
    ("static", || Box::pin(static_site::pages_are_read())),
    ("streams", || Box::pin(streams::streams_end_with_their_session())),
    ("idle", || Box::pin(idle::connections_are_closed_by_upstreams(Duration::from_secs(60)))),
    ("memory", || Box::pin(memory::bodies_are_not_stored())),
    ("busy", || Box::pin(busy::one_app_hangs())),
    ("nginx", || Box::pin(every_check(ProxyProgram::Nginx))),
    ("nginx-new", || Box::pin(every_check(ProxyProgram::NewNginx))),
    ("caddy", || Box::pin(every_check(ProxyProgram::Caddy))),
    ("traefik", || Box::pin(every_check(ProxyProgram::Traefik))),
    ("haproxy", || Box::pin(every_check(ProxyProgram::Haproxy))),
    ("envoy", || Box::pin(every_check(ProxyProgram::Envoy))),
];

#[actix_web::test]
async fn a_django_app_keeps_its_users_apart() {
    django::notes_are_kept_and_posted().await;
}

#[actix_web::test]
async fn a_static_site_is_read_as_without_latchkey() {
    static_site::pages_are_read().await;
}

#[test]
fn the_guide_names_the_settings_that_were_tried() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let guide = read("docs/apps.md");
    let (_, guide) = guide.split_once("## Apps that were tried").expect("the section");
    for (file, settings) in [
        ("tests/it/front_check/django.rs", &["app_cookies = [\"sessionid\", \"csrftoken\"]"][..]),
        ("tests/webapps/django/notes.py", &["header = \"HTTP_REMOTE_USER\"", "SECURE_PROXY_SSL_HEADER"]),
        (
            "tests/it/front_check/radicale.rs",
            &[
                "type = http_x_remote_user",
                "prefer_browser_login = True",
                "remote_user = \"email\"",
                "headers = { user = \"X-Remote-User\" }",
            ],
        ),
        (
            "tests/webapps/jupyter/jupyter_server_config.py",
            &["allow_remote_access = True", "IdentityProvider"],
        ),
    ] {
        let tried = read(file);
        for setting in settings {
            assert!(guide.contains(setting) && tried.contains(setting), "{setting}, {file}");
        }
    }
}

#[actix_web::test]
#[ignore = "not a test: bin/front-check runs it"]
async fn every_part() {
    let wanted = std::env::var("LATCHKEY_FRONT_CHECK").unwrap_or_else(|_| "all".into());
    let mut report = Report::default();
    for (name, run) in chosen(&PARTS, &wanted) {
        eprintln!("{name} …");
        let begun = Instant::now();
        // A part that fails does not keep the others from running.
        let rows = AssertUnwindSafe(run()).catch_unwind().await;
        let rows = rows.unwrap_or_else(|panic| vec![Row::failed(&words(&*panic))]);
        report.add(name, rows, begun.elapsed());
    }
    println!("\n{report}");
    assert!(report.is_good(), "a row does not hold");
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
