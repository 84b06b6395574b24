//! `latchkey app explain`: the decision about a request that is not sent.

use std::net::IpAddr;

use clap::{ArgGroup, Args};
use serde_json::json;

use super::registered::find;
use crate::accounts::Accounts;
use crate::apps::{AccessRequest, Caller, RequestKind, decide_with_trace, is_safe};
use crate::cli::Failure;
use crate::db::time::Moment;
use crate::identity::{Email, EnrolledFactors, LoginMethod};
use crate::web::copy::access::{UserEmails, answer, skipped, when, who};

#[derive(Args)]
#[command(group = ArgGroup::new("request").required(true).args(["get", "post", "path"]))]
pub struct ExplainRequest {
    slug: String,
    /// The email address of the user. Default: a visitor who is not logged in. The user counts as having just logged
    /// in, with all of their factors.
    #[arg(long = "as")]
    user: Option<String>,
    /// Explain a request that a program sends with an access token of the user.
    #[arg(long, requires = "user")]
    token: bool,
    /// Ask about a page that is opened in a tab.
    #[arg(long, value_name = "PATH")]
    get: Option<String>,
    /// Ask about a form of the app that is sent to this path.
    #[arg(long, value_name = "PATH")]
    post: Option<String>,
    /// Ask about a request that a program sends to this path, with --method.
    #[arg(long)]
    path: Option<String>,
    #[arg(long, default_value = "GET", requires = "path")]
    method: String,
    /// The IP address of the client.
    #[arg(long)]
    from: Option<IpAddr>,
    #[arg(long)]
    json: bool,
}

pub async fn run(accounts: &Accounts, explain: ExplainRequest) -> Result<(), Failure> {
    let app = find(accounts, &explain.slug).await?;
    let user = match &explain.user {
        None => None,
        Some(address) => {
            let email = Email::parse(address).map_err(|_| format!("{address:?} is not an email address"))?;
            let user = accounts.apps.user(&email).await?;
            Some(user.ok_or_else(|| format!("there is no active user {address}"))?)
        }
    };
    // Only the age of the proof matters, and it is 0.
    let now = Moment(0);
    let caller = user.as_ref().map(|(id, user)| match explain.token {
        true => Caller::with_token(*id, user),
        false => Caller::now(*id, user, best_method(user.factors), now),
    });
    let (mut request, raw) = match (&explain.get, &explain.post, &explain.path) {
        (Some(path), ..) => (AccessRequest::navigation("", explain.from), path),
        (_, Some(path), _) => {
            (AccessRequest { method: "POST", ..AccessRequest::navigation("", explain.from) }, path)
        }
        (_, _, Some(path)) => {
            let kind = RequestKind::Script;
            let method = explain.method.as_str();
            (AccessRequest { method, kind, ..AccessRequest::navigation("", explain.from) }, path)
        }
        _ => return Err("name a path with --get, --post or --path".into()),
    };
    request.path = raw.split('?').next().unwrap_or_default();
    // The request comes from a page of the app.
    let origin = app.origins.first().map(ToString::to_string);
    if !is_safe(request.method) {
        request.origin = origin.as_deref();
    }
    let mut passed_over = Vec::new();
    let (given, trace) =
        decide_with_trace(&app, &request, caller.as_ref(), now, |at, why| passed_over.push((at, why)));
    let phrase = answer(given);
    if explain.json {
        let rule = trace.rule.map(|at| at + 1);
        print_line!("{}", json!({ "passes": given.passes(), "answer": phrase.code, "rule": rule }));
        return Ok(());
    }
    let emails: UserEmails = accounts.apps.addresses_in(&app).await?.into_iter().collect();
    for (at, why) in passed_over {
        if let Some(rule) = app.rules.get(at) {
            print_line!("rule {}: {}: {}", at + 1, when(&rule.when), skipped(why));
        }
    }
    if let Some((at, rule)) = trace.rule.and_then(|at| Some((at, app.rules.get(at)?))) {
        print_line!("rule {}: {}: decides: {}", at + 1, when(&rule.when), who(rule, &emails));
    }
    print_line!("{}", phrase.text);
    Ok(())
}

/// The strongest way to log in that a user has.
fn best_method(factors: EnrolledFactors) -> LoginMethod {
    match (factors.passkey, factors.totp) {
        (true, _) => LoginMethod::Passkey,
        (false, true) => LoginMethod::PasswordAndTotp,
        (false, false) => LoginMethod::Password,
    }
}
