//! Each of the five proxies in front of an app, with the configuration that Latchkey prints: Latchkey decides, or nginx
//! answers every question with a static yes. Proxy and decider run on one core, the load generator and the app on the
//! other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use latchkey::apps::{App, AppOrigin, ProxyKind, ProxyOptions, Slug, Upstream, proxy_files};

use super::decisions::Deciding;
use super::proxies::{self, installed, nginx, server_program, wait_for};
use super::{CONNECTIONS, PAGE, WARM_UP};
use crate::environment::{Program, free_port, on_core};
use crate::pages::{Seen, wrk_with};
use crate::report::Report;

const SLICE: &str = "1s";
const TURNS: usize = 3;

/// A proxy that asks one decider.
struct Guarded {
    port: u16,
    headers: Vec<String>,
    _program: Program,
}

impl Guarded {
    fn load(&self, duration: &str) -> Seen {
        wrk_with(&format!("http://127.0.0.1:{}{PAGE}", self.port), &self.headers, CONNECTIONS, duration)
    }
}

pub fn measure(report: &mut Report) {
    let deciding = Deciding::start(1, 1);
    let dir = deciding.environment.dir();
    let upstream = proxies::upstream(dir);
    let decider = free_port();
    // Two of the proxies accept 200 alone.
    let server = format!(
        "server {{ listen 127.0.0.1:{decider}; location / {{ return 204; }} \
         location ~ ^/decide/(haproxy|envoy)/ {{ return 200 \"\"; }} }}"
    );
    let _static = nginx(dir, "static-decider", "0", &server);
    wait_for(decider);
    for kind in ProxyKind::ALL.iter().copied() {
        let by_latchkey = start(kind, dir, "latchkey", deciding.listener, upstream.port, &deciding.app.key);
        let by_static = start(kind, dir, "static", decider, upstream.port, &deciding.app.key);
        by_latchkey.load(WARM_UP);
        by_static.load(WARM_UP);
        let mut ratios = Vec::new();
        for _ in 0..report.rounds() * TURNS {
            let (ours, theirs) = (by_latchkey.load(SLICE), by_static.load(SLICE));
            let name = kind.as_str();
            ours.note(report, &format!("{name}, Latchkey decides"));
            theirs.note(report, &format!("{name}, a static page decides"));
            ratios.push(ours.per_second / theirs.per_second);
        }
        report.value_of_rounds(&format!("decides_vs_static_{}", kind.as_str()), &ratios);
    }
}

fn start(kind: ProxyKind, dir: &Path, decider: &str, latchkey: u16, upstream: u16, key: &str) -> Guarded {
    let port = free_port();
    let host = format!("bench.localhost:{port}");
    let origin = AppOrigin::parse(&format!("http://{host}")).expect("an origin");
    let to = Upstream::parse(&format!("http://127.0.0.1:{upstream}"), None).expect("an upstream");
    let app = App::new(Slug::parse("bench").expect("a slug"), Some(to), vec![origin]);
    let dir = dir.join(format!("{}-{decider}", kind.as_str()));
    fs::create_dir(&dir).expect("a directory");
    let options = ProxyOptions {
        latchkey: format!("127.0.0.1:{latchkey}"),
        certificate: None,
        key: None,
        directory: Some(dir.display().to_string()),
        command: String::new(),
    };
    let files = proxy_files(kind, &[app], &options).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
    for file in &files {
        fs::write(dir.join(&file.name), quiet(kind, &dir, &file.text)).expect("a file");
    }
    let mut command = command(kind, &dir, &dir.join(&files[0].name));
    command.env("GOMAXPROCS", "1").stdout(Stdio::null()).stderr(Stdio::null());
    let program = Program::start(command);
    wait_for(port);
    let mut headers: Vec<String> = super::BROWSER.iter().map(|header| (*header).to_owned()).collect();
    headers.push(format!("Host: {host}"));
    headers.push(format!("Cookie: theme=dark; {key}; _ga=GA1.1.123456"));
    Guarded { port, headers, _program: program }
}

/// nginx by itself writes a log, and its temporary files where another nginx may have its own.
fn quiet(kind: ProxyKind, dir: &Path, text: &str) -> String {
    if kind != ProxyKind::Nginx {
        return text.to_owned();
    }
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name}; ", dir.display()))
        .concat();
    let text = text.replace("worker_processes auto;", "worker_processes 1;");
    text.replacen("http {", &format!("http {{ {places} access_log off; keepalive_requests 100000000;"), 1)
}

fn command(kind: ProxyKind, dir: &Path, file: &Path) -> Command {
    let program: PathBuf = match kind {
        ProxyKind::Nginx => server_program("nginx"),
        ProxyKind::Haproxy => server_program("haproxy"),
        ProxyKind::Caddy => installed("caddy"),
        ProxyKind::Traefik => installed("traefik"),
        ProxyKind::Envoy => envoy(),
    };
    let mut command = on_core(Some("0"), program);
    match kind {
        ProxyKind::Nginx => {
            let here = dir.display();
            command.arg("-p").arg(dir).arg("-c").arg(file);
            command.arg("-g").arg(format!("daemon off; pid {here}/nginx.pid; error_log stderr crit;"));
        }
        ProxyKind::Haproxy => {
            command.arg("-db").arg("-f").arg(file);
        }
        ProxyKind::Caddy => {
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            command.env("CADDY_ADMIN", format!("127.0.0.1:{}", free_port()));
            command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
        }
        ProxyKind::Traefik => {
            command.arg(format!("--configFile={}", file.display()));
        }
        ProxyKind::Envoy => {
            command.arg("-c").arg(file).args(["--disable-hot-restart", "--concurrency", "1", "-l", "off"]);
        }
    }
    command
}

/// The package has the program inside.
fn envoy() -> PathBuf {
    let script = installed("envoy");
    let lib = script.parent().and_then(Path::parent).expect("an environment").join("lib");
    let versions = fs::read_dir(&lib).expect("an environment: bin/bench installs it");
    let mut found = versions.filter_map(|entry| {
        let path = entry.ok()?.path().join("site-packages/envoy/_bin/envoy");
        path.exists().then_some(path)
    });
    found.next().unwrap_or_else(|| panic!("no envoy in {}", lib.display()))
}
