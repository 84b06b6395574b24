//! Whether the app can be reached from here without Latchkey.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use url::Url;

use crate::cli::doctor::bounded;
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::cli::doctor::http;

const WITHIN: Duration = Duration::from_secs(15);

const CHECK: &str = "app.bypass";

pub fn look(upstream: Option<&str>) -> Finding {
    let Some(upstream) = upstream else {
        return note(
            CHECK,
            "not checked",
            "run this with --upstream and the address of the app, on a machine that must not reach it",
        );
    };
    match Url::parse(upstream) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => {
            bounded(CHECK, WITHIN, move || Ok(reached(&url))).unwrap_or_else(|finding| finding)
        }
        _ => problem(CHECK, format!("{upstream:?} is not a URL"), "such as http://10.0.0.7:3000"),
    }
}

fn reached(url: &Url) -> Finding {
    let what = match http::get(url, &[]) {
        Ok(response) => format!("answers {}", response.status),
        Err(why) if !connects(url) => return ok(CHECK, format!("{url} cannot be reached from here ({why})")),
        Err(why) => format!("accepts connections ({why})"),
    };
    if is_this_machine(url) {
        return warning(
            CHECK,
            format!("{url} {what} on this machine, without Latchkey"),
            "every program here can claim to be any user of the app: this is fine if you trust all of them; run the check on other machines too",
        );
    }
    problem(
        CHECK,
        format!("{url} {what} from here, without Latchkey"),
        "any machine that reaches it can claim to be any user: use a firewall or network policy that admits only the instances of Latchkey, or bind the app to a private IP address",
    )
}

fn addresses(url: &Url) -> Vec<std::net::SocketAddr> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

fn connects(url: &Url) -> bool {
    let within = Duration::from_secs(4);
    addresses(url).iter().any(|address| std::net::TcpStream::connect_timeout(address, within).is_ok())
}

fn is_this_machine(url: &Url) -> bool {
    let addresses = addresses(url);
    !addresses.is_empty() && addresses.iter().map(std::net::SocketAddr::ip).all(|ip: IpAddr| ip.is_loopback())
}
