//! Finding a registered app, and saying why a change of it was refused.

use crate::accounts::Accounts;
use crate::apps::{App, AppId, AppRefusal, StoredApps};
use crate::cli::Failure;
use crate::db::Failed;
use crate::web::copy::app_file::app_refusal;
use crate::web::copy::phrase::Phrase;

pub async fn find(accounts: &Accounts, slug: &str) -> Result<App, Failure> {
    let StoredApps { apps, unreadable } = accounts.apps.stored().await?;
    if let Some(app) = unreadable.iter().find(|app| app.slug == slug) {
        return Err(app_refusal(&AppRefusal::Unreadable { column: app.column }).into());
    }
    apps.into_iter().find(|app| app.slug.as_str() == slug).ok_or_else(|| no_such_app(slug))
}

/// The id of an app, even if it cannot be read.
pub async fn id_of(accounts: &Accounts, slug: &str) -> Result<AppId, Failure> {
    let StoredApps { apps, unreadable } = accounts.apps.stored().await?;
    let readable = apps.iter().map(|app| (app.slug.as_str(), app.id));
    let mut all = readable.chain(unreadable.iter().map(|app| (&*app.slug, app.id)));
    all.find(|(other, _)| *other == slug).map(|(_, id)| id).ok_or_else(|| no_such_app(slug))
}

fn no_such_app(slug: &str) -> Failure {
    format!("there is no app {slug:?}").into()
}

pub fn failed(failed: Failed<AppRefusal>) -> Failure {
    match failed {
        Failed::Refused(why) => app_refusal(&why).into(),
        Failed::Fault(fault) => fault.into(),
    }
}

/// Prints the warnings about an app to standard error.
pub fn warn(accounts: &Accounts, app: &App) {
    for warning in accounts.apps.warnings(app) {
        eprintln!("latchkey: warning: {}", Phrase::from(warning).text);
    }
}
