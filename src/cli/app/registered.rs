//! Finding a registered app, and saying why a change of it was refused.

use crate::accounts::Accounts;
use crate::apps::{App, AppRefusal};
use crate::cli::Failure;
use crate::db::Failed;
use crate::web::copy::app_file::app_refusal;
use crate::web::copy::phrase::Phrase;

pub async fn find(accounts: &Accounts, slug: &str) -> Result<App, Failure> {
    accounts.apps.find(slug).await?.ok_or_else(|| format!("there is no app {slug:?}").into())
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
