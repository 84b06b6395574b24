//! Configurations for other proxies, which carry the traffic of apps and ask Latchkey about each request. The texts are
//! `templates/proxies`.

mod options;
mod refusal;
mod view;

use askama::Template;

pub use options::ProxyOptions;
pub use refusal::ProxyConfigRefusal;

use crate::apps::app::App;
use crate::apps::choices::ProxyKind;
use crate::db::{Failed, Fault};
use view::ProxyView;

/// A file of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFile {
    pub name: String,
    pub text: String,
}

macro_rules! template {
    ($name:ident, $path:literal) => {
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $name<'v> {
            view: &'v ProxyView<'v>,
        }
    };
}

template!(Nginx, "proxies/nginx.conf");
template!(Caddy, "proxies/Caddyfile");
template!(Traefik, "proxies/traefik.yml");
template!(Haproxy, "proxies/haproxy.cfg");
template!(Envoy, "proxies/envoy.yaml");

/// The script of HAProxy is the same for all apps.
const SCRIPT: &str = include_str!("../../templates/proxies/latchkey.lua");

/// The files for one proxy in front of these apps. The first is the configuration itself; the others are read by it.
///
/// # Errors
/// If the options or the apps do not fit together. A fault is a bug.
pub fn proxy_files(
    kind: ProxyKind,
    apps: &[App],
    options: &ProxyOptions,
) -> Result<Vec<ProxyFile>, Failed<ProxyConfigRefusal>> {
    let paths = options.paths(kind).map_err(Failed::Refused)?;
    let apps = view::apps(apps, &paths).map_err(Failed::Refused)?;
    let view = ProxyView::new(&apps, options, &paths).map_err(Failed::Refused)?;
    let text = match kind {
        ProxyKind::Nginx => Nginx { view: &view }.render(),
        ProxyKind::Caddy => Caddy { view: &view }.render(),
        ProxyKind::Traefik => Traefik { view: &view }.render(),
        ProxyKind::Haproxy => Haproxy { view: &view }.render(),
        ProxyKind::Envoy => Envoy { view: &view }.render(),
    };
    let text = text.map_err(Fault::bug)?;
    let mut files = vec![ProxyFile { name: main_file(kind).to_owned(), text: format!("{}\n", text.trim()) }];
    if kind == ProxyKind::Haproxy {
        files.push(ProxyFile { name: "latchkey.lua".to_owned(), text: SCRIPT.to_owned() });
    }
    for app in &apps {
        let ca = app.ca.map(|ca| ProxyFile { name: view::ca_name(app.slug), text: ca.to_owned() });
        files.extend(ca);
    }
    Ok(files)
}

/// The usual name of the configuration itself.
fn main_file(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Nginx => "nginx.conf",
        ProxyKind::Caddy => "Caddyfile",
        ProxyKind::Traefik => "traefik.yml",
        ProxyKind::Haproxy => "haproxy.cfg",
        ProxyKind::Envoy => "envoy.yaml",
    }
}
