//! nginx in front of the instances, configured as docs/scaling.md says; stopped with its value.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use actix_web::rt::time::sleep;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::guard::{Guard, deciding};
use crate::support::process::{DataDir, eventually, free_port};

/// Where Debian, Homebrew and source builds install it.
const PLACES: [&str; 4] =
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/opt/homebrew/bin/nginx", "/usr/local/sbin/nginx"];

/// The path of nginx.
pub fn program() -> &'static Path {
    let found = PLACES.iter().map(Path::new).find(|place| place.exists());
    found.expect("nginx is missing: bin/test installs it, or apt-get install nginx")
}

pub struct Nginx {
    pub port: u16,
    /// Whether the hosts of apps lead to the instances; otherwise they are answered with 503. Takes effect with the
    /// next [`Nginx::route`].
    pub serves_apps: Cell<bool>,
    /// If nginx carries the traffic of the app and asks the instances for decisions. Takes effect like `serves_apps`.
    pub guard: RefCell<Option<Guard>>,
    dir: DataDir,
    child: Child,
}

impl Nginx {
    /// Starts nginx in front of these local ports.
    pub async fn start(ports: &[u16]) -> Self {
        let port = free_port();
        Self::listening(port, &format!("listen 127.0.0.1:{port};"), ports).await
    }

    /// Starts nginx with these `listen` lines, one of which is for `port`.
    pub async fn listening(port: u16, listen: &str, ports: &[u16]) -> Self {
        let dir = DataDir::new();
        let path = dir.path().to_owned();
        fs::write(path.join("nginx.conf"), configuration(&path, listen)).expect("a configuration");
        write_routes(&path, ports, None, true, None);
        let mut command = Command::new(program());
        command.arg("-e").arg(path.join("error.log")).arg("-p").arg(&path).arg("-c").arg("nginx.conf");
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx");
        let mut nginx = Self { port, serves_apps: Cell::new(true), guard: RefCell::default(), dir, child };
        eventually("nginx", async || {
            if let Ok(Some(status)) = nginx.child.try_wait() {
                panic!("{status}: {}", fs::read_to_string(path.join("error.log")).unwrap_or_default());
            }
            (nginx.workers().len() == 1 && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
                .then_some(())
        })
        .await;
        nginx
    }

    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Sends no more requests to `drained`, and returns when the earlier ones are answered.
    pub async fn route(&self, ports: &[u16], drained: Option<u16>) {
        let before = self.workers();
        let serves_apps = self.serves_apps.get();
        write_routes(self.dir.path(), ports, drained, serves_apps, self.guard.borrow().as_ref());
        kill(self.pid(), Signal::SIGHUP).expect("a running nginx");
        eventually("nginx taking its new configuration", async || {
            sleep(Duration::from_millis(10)).await;
            let now = self.workers();
            (!now.is_empty() && now.iter().all(|worker| !before.contains(worker))).then_some(())
        })
        .await;
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Also counts workers that finish requests under the previous configuration.
    fn workers(&self) -> Vec<u32> {
        let id = self.child.id();
        let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().expect("ps");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let children = lines.lines().filter_map(|line| {
            let (child, parent) = line.trim().split_once(' ')?;
            (parent.trim().parse() == Ok(id)).then(|| child.parse().ok())?
        });
        children.collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let workers = self.workers();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for worker in workers {
            let _ = kill(Pid::from_raw(worker.cast_signed()), Signal::SIGKILL);
        }
    }
}

fn write_routes(dir: &Path, ports: &[u16], drained: Option<u16>, serves_apps: bool, guard: Option<&Guard>) {
    let line = |port: &u16| {
        let down = if Some(*port) == drained { " down" } else { "" };
        format!("server 127.0.0.1:{port} max_fails=1 fail_timeout=1s{down};\n")
    };
    write(dir, "upstream.conf", &ports.iter().map(line).collect::<String>());
    let apps = match guard {
        _ if !serves_apps => "location / { add_header Retry-After 60 always; return 503; }\n".to_owned(),
        None => "location / { proxy_pass http://latchkey; }\n".to_owned(),
        Some(guard) => guard.locations(),
    };
    write(dir, "apps.conf", &apps);
    write(dir, "deciding.conf", &guard.map_or(String::new(), |guard| deciding(guard, ports, drained)));
}

/// Written completely and then renamed, because nginx may be reading it.
fn write(dir: &Path, name: &str, text: &str) {
    let (new, file): (PathBuf, PathBuf) = (dir.join(format!("{name}.new")), dir.join(name));
    fs::write(&new, text).expect("a part of the configuration");
    fs::rename(new, file).expect("a part of the configuration");
}

/// `proxy_next_upstream` without `non_idempotent`: a POST that has reached an instance is never sent to another one,
/// because its effect is unknown.
fn configuration(dir: &Path, listen: &str) -> String {
    let dir = dir.display();
    let user = if nix::unistd::geteuid().is_root() { "user nobody nogroup;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 1; worker_shutdown_timeout 10s;
        pid {dir}/nginx.pid; error_log {dir}/error.log warn;
        events {{ worker_connections 1024; }}
        http {{
            access_log off;
            client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
            fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
            upstream latchkey {{ include {dir}/upstream.conf; keepalive 16; }}
            include {dir}/deciding.conf;
            map $http_upgrade $connection_upgrade {{ \"\" \"\"; default upgrade; }}
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_connect_timeout 1s;
            proxy_read_timeout 10s;
            proxy_next_upstream error timeout http_503;
            proxy_next_upstream_tries 3;
            server {{
                {listen}
                location / {{ proxy_pass http://latchkey; }}
            }}
            server {{
                {listen}
                server_name *.localhost;
                client_max_body_size 0;
                # Websockets may be silent for longer than pages.
                proxy_read_timeout 60s;
                include {dir}/apps.conf;
            }}
        }}\n"
    )
}
