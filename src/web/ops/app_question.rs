//! The question that `latchkey doctor --app` asks at the origin of an app: what arrives there, and what the app would
//! receive. Only a caller that has the secret gets an answer; for all others the question is one more header, which no
//! app receives.

use actix_http::RequestHead;
use actix_web::http::header::HeaderMap;
use serde::{Deserialize, Serialize};

use super::doctor::{ObservedRequest, given};
use super::signed_answer::{is_fresh, sign, stamp, verified};
use crate::secret::{Secret, encode};

/// The path for questions that are not about a certain path.
pub const ECHO: &str = "/.latchkey/echo";

/// The same, and the instance tries to connect to the upstream.
pub const REPORT: &str = "/.latchkey/doctor";

/// A stream that stays open for as long as the proxies in between allow.
pub const STREAM: &str = "/.latchkey/echo/stream";

/// A header that no decision needs. The doctor sends it to see whether all headers of a client reach the decision.
pub const UNLISTED: &str = "x-latchkey-unlisted";

const ASKED: &str = "doctor-asked-app";
const ANSWERED: &str = "doctor-answered-app";

/// Stands for any target: the caller wants to know which one arrives.
const ANY_TARGET: &str = "*";

/// The identity that the app would receive. Neither it nor its parts can belong to a user: ids are UUIDs, addresses
/// have an `@`, and names of groups no upper case. What is encoded in headers occurs in it.
pub struct DoctorUser;

impl DoctorUser {
    pub const ID: &str = "latchkey-doctor";
    pub const EMAIL: &str = "latchkey-doctor, no address";
    pub const NAME: &str = "Döctor 100 %, of Latchkey";
    pub const GROUPS: [&str; 2] = ["Doctor 1", "Doctor,2"];
}

/// How an instance answers a question: as it is, or as if something were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pretend {
    #[default]
    Nothing,
    /// The user may not enter.
    Refuse,
    /// The connection ends without a response.
    Close,
    /// The same, after a long time.
    Slow,
    /// The database is down.
    Unavailable,
    /// The user is in no group.
    NoGroups,
}

impl Pretend {
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Refuse, Self::Close, Self::Slow, Self::Unavailable, Self::NoGroups];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Refuse => "refuse",
            Self::Close => "close",
            Self::Slow => "slow",
            Self::Unavailable => "503",
            Self::NoGroups => "no-groups",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pretend| pretend.as_str() == text)
    }
}

/// A question, which is valid for one method, origin and target.
#[derive(Clone, Copy)]
pub struct AppQuestion<'a> {
    pub method: &'a str,
    pub origin: &'a str,
    /// Path and query; `None`: any, because a proxy may change it.
    pub target: Option<&'a str>,
    pub pretend: Pretend,
}

impl AppQuestion<'_> {
    /// The value of the header that carries the question.
    pub fn sign(&self, secret: &Secret) -> Result<String, getrandom::Error> {
        let (at, once) = stamp()?;
        let unsigned = format!("{at}.{once}.{}", self.pretend.as_str());
        Ok(format!("{unsigned}.{}", encode(&secret.mac(ASKED, &self.signed_parts(&unsigned)))))
    }

    fn signed_parts<'p>(&'p self, unsigned: &'p str) -> [&'p [u8]; 4] {
        [unsigned, self.method, self.origin, self.target.unwrap_or(ANY_TARGET)].map(str::as_bytes)
    }
}

/// How a valid question in this request asks the instance to answer.
pub fn asked(secret: &Secret, head: &RequestHead, origin: impl ToString) -> Option<Pretend> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let about = RequestAbout { method: head.method.as_str(), origin: &origin.to_string(), target };
    asked_about(secret, question_in(&head.headers)?, about)
}

/// The request that a question must have been signed for.
#[derive(Clone, Copy)]
pub struct RequestAbout<'a> {
    pub method: &'a str,
    pub origin: &'a str,
    pub target: &'a str,
}

/// The question of a request, valid or not.
pub fn question_in(headers: &HeaderMap) -> Option<&str> {
    given(headers)
}

/// How `question` asks the instance to answer, if it is valid for this request.
pub fn asked_about(secret: &Secret, question: &str, about: RequestAbout<'_>) -> Option<Pretend> {
    let (unsigned, signature) = question.rsplit_once('.')?;
    let [at, _, pretend] = unsigned.split('.').collect::<Vec<_>>()[..] else { return None };
    let pretend = Pretend::parse(pretend).filter(|_| is_fresh(at))?;
    let RequestAbout { method, origin, target } = about;
    let is_valid = [Some(target), None].into_iter().any(|target| {
        let question = AppQuestion { method, origin, target, pretend };
        secret.signed(ASKED, &question.signed_parts(unsigned), signature)
    });
    is_valid.then_some(pretend)
}

/// The instance's view of an app, and of the request that carried the question.
#[derive(Serialize, Deserialize)]
pub struct AppObservation {
    pub app: AppFacts,
    pub arrived: ArrivedRequest,
    pub passed_on: PassedOn,
    /// Whether the instance could connect to the upstream; only at [`REPORT`].
    pub upstream: Option<UpstreamReach>,
    /// In forward-auth mode: how the proxy asked for a decision about the request. `arrived` is then the request that
    /// was decided, and `passed_on` the one that arrived behind the guard.
    #[serde(default)]
    pub decision: Option<DecisionFacts>,
}

/// The question of a proxy to the decision listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionFacts {
    /// As the path of the decision names the proxy.
    pub flavour: String,
    /// Whether the path of the decision had a query, which can only be the client's.
    pub has_query: bool,
    /// Whether [`UNLISTED`] arrived.
    pub has_unlisted: bool,
}

#[derive(Serialize, Deserialize)]
pub struct AppFacts {
    pub slug: String,
    pub enabled: bool,
    /// Whether Latchkey is the app's reverse proxy.
    pub is_proxied: bool,
    /// Whether this instance passes requests on at all.
    pub can_proxy: bool,
    /// Bytes of a request body.
    pub max_body: Option<u64>,
    /// The names of the identity headers in lower case: user, email, name, groups.
    pub header_names: [String; 4],
    /// Whether the app receives the user's email address instead of the id.
    pub user_is_email: bool,
    /// How many rules the app has.
    pub rules: usize,
    /// What visitors get at `/` and at the paths of the rules.
    pub visitors: Vec<VisitorAnswer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VisitorAnswer {
    pub path: String,
    /// If they open it.
    pub opens: VisitorAccess,
    /// If they send a form to it.
    pub posts: VisitorAccess,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisitorAccess {
    /// A rule is open.
    Passes,
    LogsIn,
    /// The request is refused, and logging in does not help.
    Refused,
}

#[derive(Serialize, Deserialize)]
pub struct ArrivedRequest {
    pub method: String,
    pub target: String,
    pub host: String,
    /// Bytes of the body.
    pub body: u64,
    pub upgrade: Option<String>,
    /// The names of the cookies.
    pub cookies: Vec<String>,
    pub seen: ObservedRequest,
    /// Whether `X-Forwarded-Server` arrived, which of the proxies Traefik alone adds.
    #[serde(default)]
    pub names_server: bool,
    /// The clock of the instance, in milliseconds of Unix time.
    pub at: i64,
}

/// What the upstream would receive.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassedOn {
    Request {
        method: String,
        target: String,
        /// In their order.
        headers: Vec<(String, String)>,
    },
    /// Nothing, for this reason.
    Nothing(String),
}

#[derive(Serialize, Deserialize)]
pub struct UpstreamReach {
    pub url: String,
    /// Why there is no connection.
    pub failed: Option<String>,
}

/// The body of the answer to `question`.
pub fn signed_answer(secret: &Secret, question: &str, seen: &AppObservation) -> Option<impl Serialize> {
    sign(secret, ANSWERED, question, seen)
}

/// What the answer to `question` says, if its signature is right.
pub fn verified_answer(secret: &Secret, question: &str, body: &[u8]) -> Option<AppObservation> {
    verified(secret, ANSWERED, question, body)
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::web::http::headers::DOCTOR_QUESTION;

    const ORIGIN: &str = "https://wiki.example.org";

    fn secret() -> Secret {
        Secret::parse("0123456789abcdefghijklmnopqrstuvwxyz").unwrap()
    }

    fn head(method: Method, target: &str, question: &str) -> RequestHead {
        let mut head = RequestHead::default();
        head.method = method;
        head.uri = target.parse().unwrap();
        head.headers
            .insert(HeaderName::from_static(DOCTOR_QUESTION), HeaderValue::from_str(question).unwrap());
        head
    }

    #[test]
    fn a_question_is_valid_for_its_method_origin_target_and_pretence_alone() {
        let ours = secret();
        let asks = |target, pretend| AppQuestion { method: "GET", origin: ORIGIN, target, pretend };
        let signed = asks(Some("/.latchkey/echo?x"), Pretend::Slow).sign(&ours).unwrap();
        let valid = |method, target, origin: &str, question: &str| {
            asked(&ours, &head(method, target, question), origin)
        };
        assert_eq!(valid(Method::GET, "/.latchkey/echo?x", ORIGIN, &signed), Some(Pretend::Slow));
        for (method, target, origin, question) in [
            (Method::POST, "/.latchkey/echo?x", ORIGIN, signed.clone()),
            (Method::GET, "/.latchkey/echo?y", ORIGIN, signed.clone()),
            (Method::GET, "/.latchkey/doctor", ORIGIN, signed.clone()),
            (Method::GET, "/.latchkey/echo?x", "https://shop.example.org", signed.clone()),
            (Method::GET, "/.latchkey/echo?x", ORIGIN, signed.replace(".slow.", ".close.")),
            (Method::GET, "/.latchkey/echo?x", ORIGIN, signed.replace(".slow.", "..")),
        ] {
            assert_eq!(valid(method, target, origin, &question), None, "{target} {origin} {question}");
        }
        let anywhere = asks(None, Pretend::Nothing).sign(&ours).unwrap();
        for target in ["/", "/a//b?c", "/.latchkey/echo"] {
            assert_eq!(valid(Method::GET, target, ORIGIN, &anywhere), Some(Pretend::Nothing));
        }
        assert_eq!(valid(Method::PUT, "/", ORIGIN, &anywhere), None);
    }

    #[test]
    fn old_foreign_and_broken_questions_are_none() {
        let ours = secret();
        let theirs = Secret::parse("zyxwvutsrqponmlkjihgfedcba9876543210").unwrap();
        let question =
            AppQuestion { method: "GET", origin: ORIGIN, target: Some("/"), pretend: Pretend::Nothing };
        let old = "1000000000.once.";
        let old = format!("{old}.{}", encode(&ours.mac(ASKED, &question.signed_parts(old))));
        // The question of `latchkey doctor --url` is another one.
        let of_site = crate::web::ops::doctor::question(&ours).unwrap();
        for text in [question.sign(&theirs).unwrap(), old, of_site, "...".into(), String::new()] {
            assert_eq!(asked(&ours, &head(Method::GET, "/", &text), ORIGIN), None, "{text}");
        }
    }

    #[test]
    fn the_user_of_the_doctor_cannot_exist() {
        assert!(uuid::Uuid::parse_str(DoctorUser::ID).is_err());
        assert!(crate::identity::Email::parse(DoctorUser::EMAIL).is_err());
        for group in DoctorUser::GROUPS {
            assert!(crate::identity::GroupName::parse(group).is_err());
        }
    }
}
