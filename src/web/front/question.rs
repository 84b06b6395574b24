//! The question of `latchkey doctor --app` in a request that a proxy asks about: how the decision answers it.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

use super::echo::{cookie_names, groups_for};
use crate::apps::AppOrigin;
use crate::web::http::shared::Shared;
use crate::web::ops::app_decision::DecidedRequest;
use crate::web::ops::app_question::{
    DecisionFacts, DoctorUser, ECHO, Pretend, RequestAbout, UNLISTED, asked_about, question_in,
};
use crate::web::ops::doctor::ObservedRequest;
use crate::web::proxy::Identity;

/// A request as the proxy describes it.
pub struct DecisionAsked<'a> {
    pub shared: &'a Shared,
    /// The origin of the app that the request is for.
    pub origin: &'a AppOrigin,
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub host: &'a str,
    /// Those of the proxy's own request.
    pub headers: &'a HeaderMap,
    pub client: Option<IpAddr>,
    pub hops: usize,
    /// As the path of the decision names the proxy.
    pub flavour: &'a str,
    /// Whether the path of the decision has a query.
    pub has_query: bool,
}

/// How a question asks to be answered.
pub enum DoctorAsked {
    /// The request is let in as this user.
    Identity(DoctorIdentity),
    /// The user may not enter.
    Refuse,
    /// The database is down.
    Unavailable,
    /// The connection ends without a response.
    Close,
    /// The same, after a long time.
    Slow,
}

pub struct DoctorIdentity {
    name: String,
    groups: &'static [&'static str],
}

impl DoctorIdentity {
    pub fn identity(&self) -> Identity<'_> {
        Identity { id: DoctorUser::ID, email: DoctorUser::EMAIL, name: &self.name, groups: self.groups }
    }
}

/// `None`: the request is decided like any other. No question opens the app: its user gets only to the echo.
pub fn doctor_asked(asked: &DecisionAsked<'_>) -> Option<DoctorAsked> {
    let question = question_in(asked.headers)?;
    let origin = asked.origin.to_string();
    let about = RequestAbout { method: asked.method, origin: &origin, target: asked.target };
    let pretend = asked_about(&asked.shared.secret, question, about)?;
    Some(match pretend {
        Pretend::Refuse => DoctorAsked::Refuse,
        Pretend::Unavailable => DoctorAsked::Unavailable,
        Pretend::Close => DoctorAsked::Close,
        Pretend::Slow => DoctorAsked::Slow,
        Pretend::Nothing | Pretend::NoGroups if is_echo(asked.target) => {
            let name = decided(asked, question).signed_name(&asked.shared.secret)?;
            DoctorAsked::Identity(DoctorIdentity { name, groups: groups_for(pretend) })
        }
        Pretend::Nothing | Pretend::NoGroups => return None,
    })
}

fn is_echo(target: &str) -> bool {
    target.strip_prefix(ECHO).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

fn decided(asked: &DecisionAsked<'_>, question: &str) -> DecidedRequest {
    let (shared, headers) = (asked.shared, asked.headers);
    let forwarded = headers.get_all(header::X_FORWARDED_FOR);
    DecidedRequest {
        question: question.to_owned(),
        method: asked.method.to_owned(),
        target: asked.target.to_owned(),
        host: asked.host.to_owned(),
        cookies: cookie_names(headers),
        seen: ObservedRequest {
            client: asked.client,
            peer: None,
            forwarded: forwarded.map(|header| header.as_bytes().split(|byte| *byte == b',').count()).sum(),
            trusted_hops: asked.hops,
            proto: None,
            public: shared.public.as_str().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        facts: DecisionFacts {
            flavour: asked.flavour.to_owned(),
            has_query: asked.has_query,
            has_unlisted: headers.contains_key(UNLISTED),
        },
    }
}
