//! Why a file of apps was not applied, and the warnings about an app.

use crate::apps::{AppRefusal, AppWarning, FileRefusal};
use crate::web::copy::phrase::Phrase;

impl From<AppWarning> for Phrase {
    fn from(warning: AppWarning) -> Self {
        match warning {
            AppWarning::AnyoneMayRegister => Self::new(
                "anyone-may-register",
                "Registration is open, so a rule for every user lets in anyone on the internet who registers.",
            ),
            AppWarning::NobodyAllowed => {
                Self::new("nobody-allowed", "The app has no rule, so no one is let in. Add a rule.")
            }
        }
    }
}

/// The refusal, and which rule it is about.
pub fn app_refusal(why: &AppRefusal) -> String {
    let text = Phrase::from(why).text;
    match why {
        AppRefusal::Rule { at, .. } => format!("rule {}: {text}", at + 1),
        AppRefusal::Choice { field, .. } | AppRefusal::Limit { field } | AppRefusal::Duration { field } => {
            format!("{field}: {text}")
        }
        AppRefusal::Origin { text: value, .. } | AppRefusal::Header { text: value, .. } => {
            format!("{value}: {text}")
        }
        _ => text.into_owned(),
    }
}

/// The refusal, and which app it is about.
pub fn file_refusal(why: &FileRefusal) -> String {
    match why {
        FileRefusal::Malformed(parser) => parser.clone(),
        FileRefusal::App { slug, why } => format!("app {slug}: {}", app_refusal(why)),
    }
}
