//! `latchkey app config`: a configuration for another proxy, which carries the traffic and asks Latchkey.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::registered::find;
use crate::accounts::Accounts;
use crate::apps::{App, AppMode, AppRefusal, ProxyFile, ProxyKind, ProxyOptions, Upstream, proxy_files};
use crate::cli::Failure;
use crate::db::Failed;
use crate::web::copy::app_file::app_refusal;
use crate::web::copy::phrase::Phrase;

#[derive(Args)]
pub struct ConfigRequest {
    /// The apps behind the proxy. Default: all apps in forward-auth mode.
    slugs: Vec<String>,
    /// The program that carries the traffic.
    #[arg(long, value_parser = proxy_kind, value_name = "nginx|caddy|traefik|haproxy|envoy")]
    proxy: ProxyKind,
    /// Where the proxy reaches the decision listener. Default: this instance's, 127.0.0.1:8081 if it has none.
    #[arg(long, value_name = "HOST:PORT")]
    latchkey: Option<String>,
    /// Where an app listens, if Latchkey does not know it or the proxy reaches it elsewhere.
    #[arg(long, value_name = "[SLUG=]URL")]
    upstream: Vec<String>,
    /// The file of a certificate; {host} stands for the host of an app.
    #[arg(long, value_name = "PATH")]
    certificate: Option<String>,
    /// The file of its key. HAProxy reads it from the file of the certificate, or from that name with .key.
    #[arg(long, value_name = "PATH")]
    key: Option<String>,
    /// The directory in which the proxy finds the files, if it is not the usual one.
    #[arg(long, value_name = "PATH")]
    directory: Option<String>,
    /// Print this file instead, such as latchkey.lua for HAProxy.
    #[arg(long, value_name = "NAME", conflicts_with = "write")]
    file: Option<String>,
    /// Write all files into this directory instead of printing one.
    #[arg(long, value_name = "DIRECTORY")]
    write: Option<PathBuf>,
}

fn proxy_kind(text: &str) -> Result<ProxyKind, String> {
    let known = || ProxyKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    ProxyKind::parse(text).ok_or_else(|| format!("choose one of {}", known()))
}

pub async fn run(accounts: &Accounts, listener: &str, request: ConfigRequest) -> Result<(), Failure> {
    let mut apps = Vec::new();
    for slug in &request.slugs {
        apps.push(find(accounts, slug).await?);
    }
    if apps.is_empty() {
        apps = accounts.apps.list().await?;
        apps.retain(|app| app.mode == AppMode::ForwardAuth);
    }
    for given in &request.upstream {
        set_upstream(&mut apps, given)?;
    }
    let options = ProxyOptions {
        command: command(&request),
        latchkey: request.latchkey.clone().unwrap_or_else(|| listener.to_owned()),
        certificate: request.certificate.clone(),
        key: request.key.clone(),
        directory: request.directory.clone(),
    };
    let files = proxy_files(request.proxy, &apps, &options).map_err(|failed| match failed {
        Failed::Refused(why) => Failure::from(Phrase::from(&why).text.into_owned()),
        Failed::Fault(fault) => fault.into(),
    })?;
    match &request.write {
        Some(directory) => write(directory, &files),
        None => print(&files, request.file.as_deref()),
    }
}

/// `URL` for the only app, or `SLUG=URL`.
fn set_upstream(apps: &mut [App], given: &str) -> Result<(), Failure> {
    let (slug, url) = match given.split_once('=') {
        Some((slug, url)) => (Some(slug), url),
        None => (None, given),
    };
    let upstream =
        Upstream::parse(url, None).map_err(|why| Failure::from(app_refusal(&AppRefusal::Upstream(why))))?;
    let several = apps.len() > 1;
    let app = match slug {
        Some(slug) => apps.iter_mut().find(|app| app.slug.as_str() == slug),
        None if several => return Err("there are several apps: write --upstream SLUG=URL".into()),
        None => apps.first_mut(),
    };
    match app {
        Some(app) => app.upstream = Some(upstream),
        None => return Err(format!("--upstream {given}: that app is not in this configuration").into()),
    }
    Ok(())
}

fn command(request: &ConfigRequest) -> String {
    let slugs: String = request.slugs.iter().map(|slug| format!("{slug} ")).collect();
    format!("latchkey app config {slugs}--proxy {}", request.proxy.as_str())
}

fn print(files: &[ProxyFile], name: Option<&str>) -> Result<(), Failure> {
    let known = || files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    let shown = match name {
        None => files.first(),
        Some(name) => files.iter().find(|file| file.name == name),
    };
    let shown = shown.ok_or_else(|| format!("there is no such file; there are {}", known()))?;
    print_line!("{}", shown.text.trim_end());
    if name.is_none() {
        for other in files.iter().skip(1) {
            eprintln!("latchkey: {} reads another file: print it with --file {}", shown.name, other.name);
        }
    }
    Ok(())
}

fn write(directory: &Path, files: &[ProxyFile]) -> Result<(), Failure> {
    for file in files {
        let path = directory.join(&file.name);
        fs::write(&path, &file.text).map_err(|error| format!("{}: {error}", path.display()))?;
        print_line!("{} is written.", path.display());
    }
    Ok(())
}
