//! Compares Latchkey as a proxy that checks the session with proxies that check nothing, and with nginx that asks a
//! static page. Each proxy runs on one core; wrk, the upstream and the database run on the other. The measure is CPU
//! time, because the other core is busy as well. `front/decisions.rs` and `front/forward_auth.rs` measure decisions for
//! other proxies, and `front/streams.rs` measures streams.

mod decisions;
mod enter;
mod forward_auth;
mod proxies;
mod streams;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::environment::{Environment, pin_self};
use super::pages::wrk_with;
use super::report::Report;

const CONNECTIONS: &str = "32";
const WARM_UP: &str = "1s";
const SLICE: &str = "3s";

/// The page of an app.
const PAGE: &str = "/page";
const PAGE_BYTES: usize = 2048;

const GIGABYTE: usize = 1 << 30;

/// What a browser sends with each request.
const BROWSER: [&str; 6] = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: none",
];

const CPU: &str = "µs CPU/request";
const CPU_OF_GIGABYTE: &str = "s CPU/GB";

pub fn measure(report: &mut Report) {
    proxied(report);
    decisions::measure(report);
    forward_auth::measure(report);
    streams::measure(report);
}

/// Requests and a download, through each proxy in turn.
fn proxied(report: &mut Report) {
    let environment = Environment::new();
    environment.insert_other_sessions(10_000);
    environment.pin_database("1");
    pin_self("1");
    let upstream = proxies::upstream(environment.dir());
    let served = environment.serve(Some("0"));
    let [app] = enter::enter_as_ada(&environment, &served, [("bench", upstream.port)]);
    let guarded = Measured {
        name: "Latchkey, guarded",
        key: None,
        port: served.port(),
        headers: headers(&app.host, &app.key),
        cpu: Box::new(|| served.cpu()),
    };
    let others = proxies::all(environment.dir(), upstream.port);
    let mut all = vec![guarded];
    all.extend(others.iter().map(|proxy| Measured {
        name: proxy.name,
        key: Some(proxy.key),
        port: proxy.port,
        headers: headers(&app.host, &app.key),
        cpu: Box::new(|| proxy.cpu()),
    }));
    for measured in &all {
        measured.load(WARM_UP);
        assert_eq!(measured.fetch(PAGE), PAGE_BYTES, "{}", measured.name);
    }
    for _ in 0..report.rounds() {
        for measured in &all {
            let before = (measured.cpu)();
            let seen = measured.load(SLICE);
            report.note(measured.name, CPU, ((measured.cpu)() - before) / seen.requests * 1e6);
            seen.note(report, measured.name);
        }
        for measured in &all {
            let before = (measured.cpu)();
            assert_eq!(measured.fetch("/gigabyte"), GIGABYTE, "{}", measured.name);
            report.note(measured.name, CPU_OF_GIGABYTE, (measured.cpu)() - before);
        }
    }
    let ours = |unit| report.median(all[0].name, unit);
    let mut values = Vec::new();
    for measured in &all {
        if let Some(key) = measured.key {
            values.push((format!("proxied_cpu_vs_{key}"), ours(CPU) / report.median(measured.name, CPU)));
        }
    }
    let nginx = all.iter().find(|measured| measured.key == Some("nginx")).expect("nginx");
    let gigabyte = ours(CPU_OF_GIGABYTE) / report.median(nginx.name, CPU_OF_GIGABYTE);
    values.push(("gigabyte_cpu_vs_nginx".to_owned(), gigabyte));
    for (key, value) in values {
        report.value(&key, value);
    }
}

fn headers(host: &str, key: &str) -> Vec<String> {
    let mut headers: Vec<String> = BROWSER.iter().map(|header| (*header).to_owned()).collect();
    headers.push(format!("Host: {host}"));
    headers.push(format!("Cookie: theme=dark; {key}; _ga=GA1.1.123456"));
    headers
}

/// A proxy, and how to reach the page through it.
struct Measured<'p> {
    name: &'static str,
    /// The end of the key in the JSON line.
    key: Option<&'static str>,
    port: u16,
    headers: Vec<String>,
    cpu: Box<dyn Fn() -> f64 + 'p>,
}

impl Measured<'_> {
    fn load(&self, duration: &str) -> super::pages::Seen {
        wrk_with(&format!("http://127.0.0.1:{}{PAGE}", self.port), &self.headers, CONNECTIONS, duration)
    }

    /// Fetches the path once; returns how many bytes its body has.
    fn fetch(&self, path: &str) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a proxy");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        let request =
            format!("GET {path} HTTP/1.1\r\n{}\r\nConnection: close\r\n\r\n", self.headers.join("\r\n"));
        stream.write_all(request.as_bytes()).expect("a request");
        let mut buffer = vec![0; 256 * 1024];
        let mut head = Vec::new();
        let body_begins = loop {
            let count = stream.read(&mut buffer).expect("a response");
            assert_ne!(count, 0, "{}: {}", self.name, String::from_utf8_lossy(&head));
            head.extend_from_slice(&buffer[..count]);
            if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}: {}", self.name, String::from_utf8_lossy(&head));
        let mut bytes = head.len() - body_begins;
        loop {
            match stream.read(&mut buffer).expect("the body") {
                0 => return bytes,
                count => bytes += count,
            }
        }
    }
}
