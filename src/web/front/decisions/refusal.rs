//! The body of a refusal for nginx, which discards the body of a decision.

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header;

use super::decide::{DecisionPath, decide};
use super::flavour::Flavour;
use super::listener::{DecisionListener, DecisionLog};
use super::listener_path::RefusalStatus;
use crate::web::copy::front::FrontCode;
use crate::web::front::answers;
use crate::web::front::door::{kind_of, whole};

/// Decides once more, to name the rule. The answer always has the status that nginx was given: if the decision is
/// another one by now, it says no more than that.
pub async fn refusal(
    listener: &DecisionListener,
    request: &mut Request,
    refused: RefusalStatus,
    id: &str,
    log: &mut DecisionLog,
) -> Response<BoxBody> {
    let (status, code) = match refused {
        RefusalStatus::LogIn => (StatusCode::UNAUTHORIZED, FrontCode::LogIn),
        RefusalStatus::Forbidden => (StatusCode::FORBIDDEN, FrontCode::NotAllowed),
        RefusalStatus::Unavailable => return whole(answers::try_later(kind_of(request.head()), id)),
    };
    let path = DecisionPath { flavour: Flavour::Nginx, slug: None, rest: "", has_query: false };
    let decided = decide(listener, request, path, id, log).await;
    if decided.status() == status && !decided.headers().contains_key(header::LOCATION) {
        return decided;
    }
    whole(answers::plain(code, None, kind_of(request.head()), id))
}
