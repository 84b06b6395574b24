//! The refusals of the services as problems, with the same texts as in the forms.

use actix_web::http::StatusCode;

use super::problems::{changed_since, conflict};
use crate::apps::AppRefusal;
use crate::db::Failed;
use crate::groups::GroupRefusal;
use crate::registration::InviteRefusal;
use crate::users::AdminRefusal;
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::problem::Problem;

/// Lets `?` pass both: a refusal becomes a problem, a fault stays a fault.
impl<R> From<Failed<R>> for Error
where
    Self: From<R>,
{
    fn from(failed: Failed<R>) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.into(),
            Failed::Fault(fault) => fault.into(),
        }
    }
}

impl From<AdminRefusal> for Error {
    fn from(refusal: AdminRefusal) -> Self {
        match refusal {
            AdminRefusal::NoSuchUser => Self::NotFound,
            AdminRefusal::Changed => changed_since().into(),
            refusal @ (AdminRefusal::LastAdmin | AdminRefusal::NoMail | AdminRefusal::AddressTaken) => {
                conflict(refusal).into()
            }
        }
    }
}

impl From<GroupRefusal> for Error {
    fn from(refusal: GroupRefusal) -> Self {
        match &refusal {
            GroupRefusal::NoSuchGroup | GroupRefusal::NoSuchUser => Self::NotFound,
            GroupRefusal::Changed => changed_since().into(),
            GroupRefusal::Taken | GroupRefusal::InUse(_) => conflict(&refusal).into(),
            GroupRefusal::NoteTooLong { .. } => Problem::invalid("/note", &refusal).into(),
        }
    }
}

impl From<InviteRefusal> for Error {
    fn from(refusal: InviteRefusal) -> Self {
        match refusal {
            refusal @ InviteRefusal::Email(_) => Problem::invalid("/email", refusal).into(),
            refusal @ InviteRefusal::Registered => conflict(refusal).at("/email").into(),
            refusal @ InviteRefusal::NoMail => conflict(refusal).into(),
            InviteRefusal::TooMany(wait) => Problem::too_many(wait).into(),
        }
    }
}

impl From<AppRefusal> for Error {
    fn from(refusal: AppRefusal) -> Self {
        let why = Phrase::from(&refusal);
        match &refusal {
            AppRefusal::NoSuchApp => Self::NotFound,
            AppRefusal::Changed => changed_since().into(),
            AppRefusal::FromFile | AppRefusal::Unreadable { .. } => conflict(why).into(),
            AppRefusal::SlugTaken | AppRefusal::OriginTaken(_) => {
                conflict(why).at(app_pointer(&refusal)).into()
            }
            AppRefusal::UpstreamNotAllowed => {
                Problem::new(StatusCode::FORBIDDEN, why).at(app_pointer(&refusal)).into()
            }
            _ => Problem::invalid(app_pointer(&refusal), why).into(),
        }
    }
}

/// The JSON Pointer (RFC 6901) to the setting that is refused.
fn app_pointer(refusal: &AppRefusal) -> String {
    match refusal {
        AppRefusal::Name(_) => "/name".into(),
        AppRefusal::Choice { field, .. } | AppRefusal::Limit { field } | AppRefusal::Duration { field } => {
            format!("/{field}")
        }
        AppRefusal::NoOrigin
        | AppRefusal::Origin { .. }
        | AppRefusal::OriginTaken(_)
        | AppRefusal::PortalOrigin(_)
        | AppRefusal::SameHost(_) => "/origins".into(),
        AppRefusal::NoUpstream
        | AppRefusal::Upstream(_)
        | AppRefusal::UpstreamIsOurs
        | AppRefusal::UpstreamNotAllowed => "/upstream".into(),
        AppRefusal::Header { .. } | AppRefusal::DuplicateHeader => "/headers".into(),
        AppRefusal::Cookie { .. } => "/app_cookies".into(),
        AppRefusal::TooManyRules { .. } => "/rules".into(),
        AppRefusal::Rule { at, .. } => format!("/rules/{at}"),
        AppRefusal::NoSuchApp
        | AppRefusal::FromFile
        | AppRefusal::Changed
        | AppRefusal::Unreadable { .. }
        | AppRefusal::SlugTaken
        | AppRefusal::InvalidSlug => String::new(),
    }
}
