//! `latchkey app add` and `latchkey app remove`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::registered::{failed, id_of, warn};
use super::rule::access;
use crate::accounts::Accounts;
use crate::apps::{App, AppMode, AppOrigin, AppRefusal, Rule, Slug, Upstream};
use crate::cli::Failure;
use crate::identity::Client;
use crate::web::copy::app_file::app_refusal;

#[derive(Args)]
pub struct AddApp {
    /// The short name in URLs and commands, such as wiki.
    slug: String,
    /// Where the app listens, such as http://127.0.0.1:3000.
    #[arg(long, required_unless_present = "forward_auth")]
    upstream: Option<String>,
    /// Another proxy carries the traffic and asks Latchkey: see `latchkey app config`.
    #[arg(long)]
    forward_auth: bool,
    /// A file of certificates (PEM) to trust for this upstream.
    #[arg(long, requires = "upstream")]
    upstream_ca: Option<PathBuf>,
    /// The name that users see. Default: the slug.
    #[arg(long)]
    name: Option<String>,
    /// The address that users open, such as https://wiki.example.org. Default in local mode: http://SLUG.localhost.
    #[arg(long = "origin")]
    origins: Vec<String>,
    /// Who gets in: signed-in, open, group:NAME, user:EMAIL or role:admin. Default in local mode: signed-in.
    #[arg(long)]
    allow: Vec<String>,
}

pub async fn run(accounts: &Accounts, add: AddApp) -> Result<(), Failure> {
    let refused = |why: AppRefusal| app_refusal(&why);
    let slug = Slug::parse(&add.slug).map_err(|_| refused(AppRefusal::InvalidSlug))?;
    let ca = add
        .upstream_ca
        .map(|path| fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display())));
    let ca = ca.transpose()?;
    let upstream = match &add.upstream {
        Some(text) => {
            let upstream = Upstream::parse(text, ca.as_deref());
            Some(upstream.map_err(|why| refused(AppRefusal::Upstream(why)))?)
        }
        None => None,
    };
    let mut origins = Vec::new();
    for text in &add.origins {
        let origin = AppOrigin::parse(text);
        origins.push(origin.map_err(|why| refused(AppRefusal::Origin { text: text.clone(), why }))?);
    }
    if origins.is_empty() {
        origins.extend(accounts.apps.default_origin(&slug));
    }
    let rules = match add.allow.is_empty() {
        true => accounts.apps.default_rules(),
        false => vec![Rule::everywhere(access(accounts, &add.allow).await?)],
    };
    let mode = if add.forward_auth { AppMode::ForwardAuth } else { AppMode::Proxy };
    let mut app = App { mode, rules, ..App::new(slug, upstream, origins) };
    if let Some(name) = add.name {
        app.name = name;
    }
    accounts.apps.add(None, app.clone(), Client::operator()).await.map_err(failed)?;
    warn(accounts, &app);
    for origin in &app.origins {
        print_line!("{} is at {origin}", app.name);
    }
    Ok(())
}

pub async fn remove(accounts: &Accounts, slug: &str) -> Result<(), Failure> {
    let id = id_of(accounts, slug).await?;
    accounts.apps.remove(None, id, Client::operator()).await.map_err(failed)?;
    print_line!("{slug} is removed.");
    Ok(())
}
