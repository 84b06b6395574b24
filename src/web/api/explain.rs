//! Explains what the proxy would decide about a request for an app, without sending it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::Plain;
use super::context::ApiContext;
use super::input::Input;
use super::scoped::{AppsRead, Scoped};
use crate::apps::{AccessRequest, Caller, RequestKind, RuleMismatch, decide_with_trace, is_safe};
use crate::db::time::Moment;
use crate::identity::{Email, LoginMethod};
use crate::web::copy::access::answer;
use crate::web::copy::api::{UNKNOWN_METHOD, UNKNOWN_USER};
use crate::web::http::error::Error;
use crate::web::http::path::{BySlug, Path};
use crate::web::http::problem::Problem;

/// A request to explain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainIn {
    /// The email address of the user. Default: a visitor who is not logged in.
    #[serde(default)]
    user: Option<String>,
    /// How the user logged in, such as `password` or `passkey`. Default: `password`.
    #[serde(default)]
    login: Option<String>,
    /// How many seconds ago the user last proved their identity. Default: 0.
    #[serde(default)]
    proved_ago: Option<u32>,
    /// The method. Default: `GET`.
    #[serde(default)]
    method: Option<String>,
    /// The path, without the query.
    path: String,
    /// The IP address of the client.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    from: Option<IpAddr>,
    /// Whether a program sends the request, not a browser that opens a page or sends a form.
    #[serde(default)]
    script: bool,
    /// Whether the request carries an access token of `user`. It is then sent by a program.
    #[serde(default)]
    token: bool,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainOut {
    /// Whether the request would reach the app.
    pub passes: bool,
    /// Identifies the decision, and is stable.
    pub code: String,
    /// The decision as a sentence.
    pub detail: String,
    /// The number of the rule that decides, counted from 1; null: no rule.
    pub rule: Option<u32>,
    /// The rules that do not match, of those before it.
    pub skipped: Vec<SkippedRuleOut>,
}

/// A rule that does not match the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedRuleOut {
    /// Its number, counted from 1.
    pub rule: u32,
    /// `method`, `path` or `network`.
    pub why: String,
}

pub async fn explain(
    _: Scoped<AppsRead>,
    ctx: ApiContext,
    Path(path): Path<BySlug>,
    Input(asked): Input<ExplainIn>,
) -> Result<Plain<ExplainOut>, Error> {
    let apps = &ctx.accounts().apps;
    let app = apps.find(&path.slug).await?.ok_or(Error::NotFound)?;
    let user = match &asked.user {
        None => None,
        Some(text) => {
            let email = Email::parse(text).map_err(|why| Problem::invalid("/user", why))?;
            let found = apps.user(&email).await?;
            Some(found.ok_or_else(|| Problem::invalid("/user", UNKNOWN_USER))?)
        }
    };
    let login = match asked.login.as_deref() {
        None => LoginMethod::Password,
        Some(text) => LoginMethod::parse(text).ok_or_else(|| Problem::invalid("/login", UNKNOWN_METHOD))?,
    };
    // Only the time between the two matters.
    let now = Moment(0);
    let proved_at = Moment(-1_000_000 * i64::from(asked.proved_ago.unwrap_or(0)));
    let caller = user.as_ref().map(|(id, user)| match asked.token {
        true => Caller::with_token(*id, user),
        false => Caller::now(*id, user, login, proved_at),
    });
    let method = asked.method.as_deref().unwrap_or("GET").trim().to_ascii_uppercase();
    let path = asked.path.split(['?', '#']).next().unwrap_or_default();
    let mut request = AccessRequest { method: &method, ..AccessRequest::navigation(path, asked.from) };
    if asked.script || asked.token {
        request.kind = RequestKind::Script;
    }
    // As if a page of the app had sent it.
    let origin = app.origins.first().map(ToString::to_string);
    if !is_safe(&method) {
        request.origin = origin.as_deref();
    }
    let mut skipped = Vec::new();
    let (decided, trace) = decide_with_trace(&app, &request, caller.as_ref(), now, |at, why| {
        skipped.push(SkippedRuleOut { rule: number(at), why: mismatch(why).to_owned() });
    });
    let phrase = answer(decided);
    Ok(Plain(ExplainOut {
        passes: decided.passes(),
        code: phrase.code.to_owned(),
        detail: phrase.text.into_owned(),
        rule: trace.rule.map(number),
        skipped,
    }))
}

fn number(at: usize) -> u32 {
    u32::try_from(at).map_or(u32::MAX, |at| at.saturating_add(1))
}

fn mismatch(why: RuleMismatch) -> &'static str {
    match why {
        RuleMismatch::Method => "method",
        RuleMismatch::Path => "path",
        RuleMismatch::Network => "network",
    }
}
