//! Registers the app that is measured, and opens it as a browser does.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::environment::{Environment, RunningServer};

pub struct Registered {
    pub port: u16,
    /// As in a `Host` header.
    pub host: String,
}

/// Registers an app with the rules of a small team: one part for administrators, the rest for all users.
pub fn register(environment: &Environment, served: &RunningServer, upstream: u16) -> Registered {
    let port: u16 = served.origin.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let host = format!("bench.localhost:{port}");
    let file = environment.dir().join("apps.toml");
    let text = format!(
        "[apps.bench]\nname = \"Bench\"\norigins = [\"http://{host}\"]\nupstream = \"http://127.0.0.1:{upstream}\"\n\n\
         [[apps.bench.rules]]\nbelow = \"/admin\"\nrole = \"admin\"\n\n\
         [[apps.bench.rules]]\nall = true\naccess = \"signed-in\"\n"
    );
    fs::write(&file, text).expect("a file");
    served.run(environment, &["app".as_ref(), "apply".as_ref(), file.as_os_str()]);
    Registered { port, host }
}

/// Follows the handoff with the portal's cookie; returns the app's.
pub async fn enter(app: &Registered, portal: &str) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, app.port));
    let name = app.host.split(':').next().unwrap_or_default();
    let client =
        Client::builder().redirect(Policy::none()).resolve(name, address).resolve("localhost", address);
    let client = client.build().expect("a client");
    let get = async |url: String, cookie: &str| {
        let request = client.get(url).header("cookie", cookie).header("sec-fetch-mode", "navigate");
        let request = request.header("sec-fetch-dest", "document").header("sec-fetch-site", "cross-site");
        request.send().await.expect("a response")
    };
    let origin = format!("http://{}", app.host);
    let page = get(format!("{origin}/page"), "").await;
    let begin = get(location(&page, &origin), "").await;
    let state = cookie(&begin, "latchkey-state");
    let go = get(location(&begin, &origin), portal).await;
    let entered = get(location(&go, &origin), &state).await;
    cookie(&entered, "latchkey-app")
}

fn location(response: &Response, origin: &str) -> String {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.unwrap_or_else(|| panic!("no redirect: {response:?}"));
    if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() }
}

fn cookie(response: &Response, name: &str) -> String {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = set.filter_map(|text| text.split(';').next());
    let found = pairs.find(|pair| pair.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name}: {response:?}")).to_owned()
}
