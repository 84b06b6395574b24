//! Sends requests and signed questions to the origin of an app.

use std::sync::Arc;

use url::Url;

use super::advice::{self, ConfigPart};
use super::proxy::NamedProxy;
use crate::apps::AppOrigin;
use crate::cli::doctor::finding::{Finding, note, problem};
use crate::cli::doctor::http::{self, RequestSpec, Response};
use crate::cli::doctor::site::unreached;
use crate::cli::local_instance;
use crate::config::Settings;
use crate::secret::Secret;
use crate::web::ops::app_question::{
    AppObservation, AppQuestion, Pretend, VisitorAccess, VisitorAnswer, verified_answer,
};
use crate::web::ops::doctor::HEADER;

/// The origin of an app, to which questions are sent.
#[derive(Clone)]
pub struct AppSite {
    secret: Secret,
    pub url: Url,
    /// As the table of apps writes it.
    pub origin: AppOrigin,
    /// The public address of the portal, as these settings say.
    pub portal: String,
}

/// An app whose instance has answered.
#[derive(Clone)]
pub struct KnownApp {
    pub site: AppSite,
    /// The answer to the first question.
    pub first: Arc<AppObservation>,
    /// The proxy in forward-auth mode, if it is known.
    pub proxy: Option<NamedProxy>,
}

/// Why a question has no answer.
pub enum Unanswered {
    /// There was no response.
    Failed(String),
    /// Something else answered.
    Other { status: u16 },
    /// In forward-auth mode: the request arrived without the identity of a decision.
    Undecided,
}

impl AppSite {
    /// `None` if `origin` cannot be the origin of an app.
    pub fn new(settings: &Settings, origin: &str) -> Option<Self> {
        Some(Self {
            secret: settings.secret.clone(),
            url: Url::parse(origin.trim()).ok()?,
            origin: AppOrigin::parse(origin).ok()?,
            portal: local_instance::origin(settings).as_str().to_owned(),
        })
    }

    /// Sends a request without a question.
    pub fn send(&self, spec: RequestSpec<'_>) -> Result<Response, String> {
        http::send(&self.url, spec)
    }

    /// Asks with GET which request arrives, even if a proxy changes the target.
    pub fn ask(&self, target: &str, headers: &[(&str, &str)]) -> Result<AppObservation, Unanswered> {
        self.ask_with_response(target, headers).map(|(seen, _)| seen)
    }

    /// The same, with the whole response.
    pub fn ask_with_response(
        &self,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<(AppObservation, Response), Unanswered> {
        let spec = RequestSpec::get(target, headers);
        let (question, response) = self.send_signed(spec, Pretend::Nothing, None)?;
        let seen = self.observed(&question, &response.body);
        match seen {
            Some(seen) => Ok((seen, response)),
            None => Err(Unanswered::Other { status: response.status }),
        }
    }

    /// The value of the header with a question for any target.
    pub fn question(&self, method: &str) -> Result<String, String> {
        let origin = self.origin.to_string();
        let asked = AppQuestion { method, origin: &origin, target: None, pretend: Pretend::Nothing };
        asked.sign(&self.secret).map_err(|error| error.to_string())
    }

    /// Sends a question that is valid for the target of `spec` alone, and returns it with the response.
    pub fn send_question(
        &self,
        spec: RequestSpec<'_>,
        pretend: Pretend,
    ) -> Result<(String, Response), Unanswered> {
        let target = Some(spec.target);
        self.send_signed(spec, pretend, target)
    }

    fn send_signed(
        &self,
        spec: RequestSpec<'_>,
        pretend: Pretend,
        target: Option<&str>,
    ) -> Result<(String, Response), Unanswered> {
        let origin = self.origin.to_string();
        let asked = AppQuestion { method: spec.method, origin: &origin, target, pretend };
        let question = asked.sign(&self.secret).map_err(|error| Unanswered::Failed(error.to_string()))?;
        let headers: Vec<(&str, &str)> =
            [(HEADER, question.as_str())].into_iter().chain(spec.headers.iter().copied()).collect();
        let response = self.send(RequestSpec { headers: &headers, ..spec }).map_err(Unanswered::Failed)?;
        Ok((question, response))
    }

    /// The content of `body`, if it answers `question`.
    pub fn observed(&self, question: &str, body: &[u8]) -> Option<AppObservation> {
        verified_answer(&self.secret, question, body)
    }
}

impl KnownApp {
    /// A path at which visitors who send this method have to log in, if there is one and the app is served.
    pub fn guarded_path(&self, method: &str) -> Option<&str> {
        let visitors = &self.first.app.visitors;
        let access = |at: &VisitorAnswer| if method == "POST" { at.posts } else { at.opens };
        let is_served = self.first.app.enabled && self.first.app.can_proxy;
        visitors.iter().find(|at| is_served && access(at) == VisitorAccess::LogsIn).map(|at| at.path.as_str())
    }

    pub fn slug(&self) -> &str {
        &self.first.app.slug
    }

    /// Whether another proxy carries the traffic and asks Latchkey for decisions.
    pub fn is_forwarded(&self) -> bool {
        !self.first.app.is_proxied
    }

    /// What to do about `part`: in the words of the proxy in forward-auth mode, `otherwise` in proxy mode.
    pub fn advice(&self, part: ConfigPart, otherwise: &str) -> String {
        if !self.is_forwarded() {
            return otherwise.to_owned();
        }
        advice::of(self.proxy.map(|proxy| proxy.kind), part, self.slug())
    }

    /// Asks with GET which request arrives. In forward-auth mode, it must arrive with the identity of a decision.
    pub fn ask(&self, target: &str, headers: &[(&str, &str)]) -> Result<AppObservation, Unanswered> {
        let seen = self.site.ask(target, headers)?;
        if self.is_forwarded() && seen.decision.is_none() {
            return Err(Unanswered::Undecided);
        }
        Ok(seen)
    }

    /// For a question that should have been answered.
    ///
    /// * `part`: what is probably wrong in the configuration of a proxy in forward-auth mode.
    pub fn unanswered(&self, check: &'static str, why: &Unanswered, part: ConfigPart) -> Finding {
        match why {
            Unanswered::Other { status } if self.is_forwarded() => problem(
                check,
                format!("this request does not arrive behind the guard as it should ({status})"),
                self.advice(part, ""),
            ),
            why => why.finding(check, &self.site),
        }
    }
}

impl Unanswered {
    pub fn finding(&self, check: &'static str, site: &AppSite) -> Finding {
        match self {
            Self::Undecided => note(
                check,
                "not checked: the request arrives without the identity of a decision",
                "see app.identity",
            ),
            Self::Failed(why) => {
                let (seen, advice) = unreached(why, site.origin.host());
                problem(check, seen, advice)
            }
            Self::Other { status } => problem(
                check,
                format!("this question was answered {} by something else", status),
                "let the proxy in front pass every request for this host on to Latchkey, with its headers",
            ),
        }
    }
}

/// For checks of what visitors get where nothing asks them to log in.
pub fn unguarded(check: &'static str) -> Finding {
    note(check, "not checked: there is no path at which visitors have to log in", "see app.guard")
}
