//! Apps behind Latchkey: list and add them, and change their settings and rules.

mod app_page;
pub mod list;
pub mod proxy_config;
mod rule_form;
pub mod rules;
pub mod settings;
mod settings_form;
pub mod show;
pub mod tryout;

use super::super::context::RequestContext;
use crate::apps::App;
use crate::web::http::error::Error;

/// The app of a path, as it is stored now.
async fn load(ctx: &RequestContext, slug: &str) -> Result<App, Error> {
    ctx.accounts().apps.find(slug).await?.ok_or(Error::NotFound)
}

/// The words of a field that holds several, separated by spaces or commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',']).filter(|word| !word.is_empty())
}
