//! The other proxies, each with keep-alive to the upstream and without an access log.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::environment::{Program, free_port, on_core};

pub struct Proxy {
    /// The end of the key in the JSON line.
    pub key: &'static str,
    /// The name in the table.
    pub name: &'static str,
    pub port: u16,
    programs: Vec<Program>,
}

impl Proxy {
    /// The CPU seconds of all of its programs so far.
    pub fn cpu(&self) -> f64 {
        self.programs.iter().map(Program::cpu).sum()
    }
}

pub struct Upstream {
    pub port: u16,
    _nginx: Program,
}

/// An nginx that serves the page and the gigabyte.
pub fn upstream(dir: &Path) -> Upstream {
    let port = free_port();
    let content = dir.join("content");
    fs::create_dir(&content).expect("a directory");
    fs::write(content.join("page"), vec![b'x'; super::PAGE_BYTES]).expect("a page");
    let gigabyte = fs::File::create(content.join("gigabyte")).expect("a file");
    gigabyte.set_len(super::GIGABYTE as u64).expect("a gigabyte");
    let server = format!(
        "open_file_cache max=10; server {{ listen 127.0.0.1:{port} reuseport; root {}; default_type text/html; }}",
        content.display()
    );
    let nginx = nginx(dir, "upstream", "1", &server);
    wait_for(port);
    Upstream { port, _nginx: nginx }
}

/// Starts all of them on the core of Latchkey.
pub fn all(dir: &Path, upstream: u16) -> Vec<Proxy> {
    let proxies = vec![
        nginx_alone(dir, upstream),
        nginx_with_auth_request(dir, upstream),
        haproxy(dir, upstream),
        traefik(dir, upstream),
        caddy(dir, upstream),
    ];
    proxies.iter().for_each(|proxy| wait_for(proxy.port));
    proxies
}

/// Makes a location reuse its connections to the upstream, and keeps a gigabyte off the disk.
const PASS: &str = "proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
                    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; \
                    proxy_max_temp_file_size 0;";

fn nginx_alone(dir: &Path, upstream: u16) -> Proxy {
    let port = free_port();
    let server = format!(
        "upstream app {{ server 127.0.0.1:{upstream}; keepalive 64; }} \
         server {{ listen 127.0.0.1:{port}; location / {{ {PASS} }} }}"
    );
    let programs = vec![nginx(dir, "nginx", "0", &server)];
    Proxy { key: "nginx", name: "nginx, unguarded", port, programs }
}

/// The page that decides is as cheap as possible.
fn nginx_with_auth_request(dir: &Path, upstream: u16) -> Proxy {
    let (port, decides) = (free_port(), free_port());
    let decision = format!("server {{ listen 127.0.0.1:{decides}; location / {{ return 204; }} }}");
    let server = format!(
        "upstream app {{ server 127.0.0.1:{upstream}; keepalive 64; }} \
         upstream decision {{ server 127.0.0.1:{decides}; keepalive 64; }} \
         server {{ listen 127.0.0.1:{port}; \
           location / {{ auth_request /decide; {PASS} }} \
           location = /decide {{ internal; proxy_pass http://decision; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_pass_request_body off; proxy_set_header Content-Length \"\"; \
             proxy_set_header X-Original-URL $scheme://$host$request_uri; }} }}"
    );
    let programs = vec![nginx(dir, "decision", "0", &decision), nginx(dir, "auth_request", "0", &server)];
    Proxy { key: "auth_request", name: "nginx, auth_request to a static 204", port, programs }
}

pub fn nginx(dir: &Path, name: &str, core: &str, servers: &str) -> Program {
    let file = dir.join(format!("{name}.conf"));
    let temporary = |kind: &str| {
        let path = dir.join(format!("{name}-{kind}"));
        format!("{kind}_temp_path {};", path.display())
    };
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().map(|kind| temporary(kind)).collect();
    let text = format!(
        "daemon off; worker_processes 1; pid {}; error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; {temporary} {servers} }}\n",
        dir.join(format!("{name}.pid")).display(),
    );
    fs::write(&file, text).expect("a file");
    let mut command = on_core(Some(core), server_program("nginx"));
    command.arg("-c").arg(&file).arg("-p").arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
    Program::start(command)
}

fn haproxy(dir: &Path, upstream: u16) -> Proxy {
    let port = free_port();
    let file = dir.join("haproxy.cfg");
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  \
         timeout server 60s\n  http-reuse always\n  option forwardfor\nfrontend f\n  bind 127.0.0.1:{port}\n  \
         default_backend b\nbackend b\n  server s 127.0.0.1:{upstream}\n"
    );
    fs::write(&file, text).expect("a file");
    let mut command = on_core(Some("0"), server_program("haproxy"));
    command.arg("-f").arg(&file).arg("-db").stdout(Stdio::null()).stderr(Stdio::null());
    Proxy { key: "haproxy", name: "HAProxy, unguarded", port, programs: vec![Program::start(command)] }
}

fn traefik(dir: &Path, upstream: u16) -> Proxy {
    let port = free_port();
    let dynamic = dir.join("traefik-routes.yml");
    let routes = format!(
        "http:\n  routers:\n    r:\n      rule: \"PathPrefix(`/`)\"\n      entryPoints: [web]\n      service: s\n  \
         services:\n    s:\n      loadBalancer:\n        servers:\n          - url: \"http://127.0.0.1:{upstream}\"\n"
    );
    fs::write(&dynamic, routes).expect("a file");
    let file = dir.join("traefik.yml");
    let text = format!(
        "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\nlog:\n  level: ERROR\nentryPoints:\n  web:\n    \
         address: \"127.0.0.1:{port}\"\nserversTransport:\n  maxIdleConnsPerHost: 64\nproviders:\n  file:\n    \
         filename: \"{}\"\n",
        dynamic.display()
    );
    fs::write(&file, text).expect("a file");
    let mut command = on_core(Some("0"), installed("traefik"));
    command.arg(format!("--configFile={}", file.display())).env("GOMAXPROCS", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Proxy { key: "traefik", name: "Traefik, unguarded", port, programs: vec![Program::start(command)] }
}

fn caddy(dir: &Path, upstream: u16) -> Proxy {
    let port = free_port();
    let file = dir.join("Caddyfile");
    let text = format!(
        "{{\n\tadmin off\n\tauto_https off\n}}\nhttp://:{port} {{\n\tbind 127.0.0.1\n\treverse_proxy 127.0.0.1:{upstream} {{\n\t\t\
         transport http {{\n\t\t\tkeepalive_idle_conns_per_host 64\n\t\t}}\n\t}}\n}}\n"
    );
    fs::write(&file, text).expect("a file");
    let mut command = on_core(Some("0"), installed("caddy"));
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file).env("GOMAXPROCS", "1");
    command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Proxy { key: "caddy", name: "Caddy, unguarded", port, programs: vec![Program::start(command)] }
}

/// A user's PATH often lacks the directory of servers.
pub fn server_program(name: &str) -> PathBuf {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() { path } else { name.into() }
}

/// A program that benches/proxies/install has installed.
pub fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("proxies/venv/bin").join(name)
}

pub fn wait_for(port: u16) {
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing listens on port {port}");
}
