//! Registers the apps that are measured, and opens them as a browser does.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use actix_web::rt::System;
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::environment::{Environment, RunningServer, client};

/// An app that a user has opened.
pub struct EnteredApp {
    /// As in a `Host` header.
    pub host: String,
    /// The cookie of its origin. Every instance on the database accepts it.
    pub key: String,
}

/// Registers apps, each with a name and the port of its upstream, and enters them with a new user.
pub fn enter_as_ada<const APPS: usize>(
    environment: &Environment,
    served: &RunningServer,
    apps: [(&str, u16); APPS],
) -> [EnteredApp; APPS] {
    let hosts = apps.map(|(name, upstream)| register(environment, served, name, upstream));
    System::new().block_on(async {
        let ada = PortalUser::log_in(environment, served).await;
        let mut entered = Vec::new();
        for host in hosts {
            let key = ada.enter(&host).await;
            entered.push(EnteredApp { host, key });
        }
        entered.try_into().unwrap_or_else(|_| unreachable!("as many as there are apps"))
    })
}

/// A new user, who is logged in at the portal.
pub struct PortalUser {
    port: u16,
    cookie: String,
}

impl PortalUser {
    pub async fn log_in(environment: &Environment, served: &RunningServer) -> Self {
        environment.create_user("ada@example.org").await;
        let cookie = served.log_in(&client(), "ada@example.org").await;
        Self { port: served.port(), cookie }
    }

    /// Follows the handoff to an app; returns the app's cookie.
    pub async fn enter(&self, host: &str) -> String {
        enter(self.port, host, &self.cookie).await
    }
}

/// Registers an app with the rules of a small team: one part for administrators, the rest for all users. Returns its host.
fn register(environment: &Environment, served: &RunningServer, name: &str, upstream: u16) -> String {
    let host = format!("{name}.localhost:{}", served.port());
    let file = environment.dir().join(format!("{name}.toml"));
    let text = format!(
        "[apps.{name}]\nname = \"Bench\"\norigins = [\"http://{host}\"]\nupstream = \"http://127.0.0.1:{upstream}\"\n\
         max_in_flight = 5000\nidle = \"1h\"\n\n\
         [[apps.{name}.rules]]\nbelow = \"/admin\"\nrole = \"admin\"\n\n\
         [[apps.{name}.rules]]\nall = true\naccess = \"signed-in\"\n"
    );
    fs::write(&file, text).expect("a file");
    served.run(environment, &["app".as_ref(), "apply".as_ref(), file.as_os_str()]);
    host
}

/// Follows the handoff with the portal's cookie; returns the app's.
async fn enter(port: u16, host: &str, portal: &str) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let name = host.split(':').next().unwrap_or_default();
    let client =
        Client::builder().redirect(Policy::none()).resolve(name, address).resolve("localhost", address);
    let client = client.build().expect("a client");
    let get = async |url: String, cookie: &str| {
        let request = client.get(url).header("cookie", cookie).header("sec-fetch-mode", "navigate");
        let request = request.header("sec-fetch-dest", "document").header("sec-fetch-site", "cross-site");
        request.send().await.expect("a response")
    };
    let at_app = |path: String| format!("http://{host}{path}");
    let page = get(at_app("/page".to_owned()), "").await;
    let begin = get(at_app(path(&page)), "").await;
    let state = cookie(&begin, "latchkey-state");
    let go = get(format!("http://localhost:{port}{}", path(&begin)), portal).await;
    let entered = get(at_app(path(&go)), &state).await;
    cookie(&entered, "latchkey-app")
}

/// Path and query of the target of a redirect.
fn path(response: &Response) -> String {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.unwrap_or_else(|| panic!("no redirect: {response:?}"));
    match location.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => location.to_owned(),
    }
}

fn cookie(response: &Response, name: &str) -> String {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = set.filter_map(|text| text.split(';').next());
    let found = pairs.find(|pair| pair.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name}: {response:?}")).to_owned()
}
