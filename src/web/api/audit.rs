//! The audit trail for programs that copy it: pages in the order of the hash chain, as JSON or one event per line.

use actix_web::body::BoxBody;
use actix_web::http::header::{self, Accept, Header as _, Quality};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::ListPage;
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::listing::limit;
use super::operation::{DescribedAnswer, DescribedOperation};
use super::query::{Query, refused};
use super::scoped::{AuditRead, Scoped};
use crate::audit::{Actor, AuditAction, LinkedRecord, TrailFilter};
use crate::identity::UserId;
use crate::web::copy::api::UNKNOWN_ACTION;
use crate::web::http::error::Error;

const NDJSON: &str = "application/x-ndjson";

/// An event of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventOut {
    /// Its number in the trail. Numbers are assigned in the order of commits, without gaps.
    pub seq: i64,
    pub at: ApiTime,
    /// The action, such as `logged-in`.
    pub act: String,
    /// Who acted: the owner of the account, an administrator, the operator, the instance itself, or a visitor who did not
    /// prove who they are.
    pub by: ActorKind,
    /// The acting user.
    pub actor: Option<EventUserOut>,
    /// The affected user.
    pub subject: Option<EventUserOut>,
    /// The session in which it happened, or the affected session.
    pub session: Option<Uuid>,
    /// The access token with which the actor did it; null: none.
    pub token: Option<EventTokenOut>,
    /// The IP address of the client; empty for the operator.
    pub address: String,
    pub user_agent: String,
    /// Details: an object or a text.
    pub detail: Value,
}

/// A user in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventUserOut {
    pub id: Uuid,
    /// Null: the account was deleted.
    pub name: Option<String>,
}

/// An access token in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventTokenOut {
    pub id: Uuid,
    pub name: String,
}

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    Owner,
    Admin,
    Operator,
    Instance,
    Unproven,
}

impl From<&LinkedRecord> for EventOut {
    fn from(LinkedRecord { seq, act, session, event }: &LinkedRecord) -> Self {
        let user = |id: Option<UserId>, name: &Option<String>| {
            id.map(|id| EventUserOut { id: id.0, name: name.clone() })
        };
        let by = match event.by() {
            Actor::Owner(_) => ActorKind::Owner,
            Actor::Admin(_) => ActorKind::Admin,
            Actor::Operator => ActorKind::Operator,
            Actor::Instance => ActorKind::Instance,
            Actor::Unproven => ActorKind::Unproven,
        };
        let object = serde_json::from_str(&event.detail).ok().filter(Value::is_object);
        Self {
            seq: *seq,
            at: event.at.into(),
            act: act.clone(),
            by,
            actor: user(event.actor, &event.actor_name),
            subject: user(event.subject, &event.subject_name),
            session: session.map(|session| session.0),
            token: event.token.as_ref().map(|token| EventTokenOut { id: token.id, name: token.name.clone() }),
            address: event.address.clone(),
            user_agent: event.browser().to_owned(),
            detail: object.unwrap_or_else(|| event.detail.clone().into()),
        }
    }
}

/// Which events.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct TrailParams {
    /// Only events after the event with this number. Default: from the first event.
    after: Option<u64>,
    /// Only events with this action.
    act: Option<String>,
    /// Only events that the user with this id caused.
    actor: Option<Uuid>,
    /// Only events that affected the user with this id.
    subject: Option<Uuid>,
    /// Only events at or after this time.
    #[param(inline)]
    from: Option<ApiTime>,
    /// Only events before this time.
    #[param(inline)]
    to: Option<ApiTime>,
    /// The maximum number of events on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// A page of the trail.
pub struct TrailPage {
    page: ListPage<EventOut>,
    /// Path and query of the next page.
    next: Option<String>,
}

pub async fn list(
    _: Scoped<AuditRead>,
    ctx: ApiContext,
    Query(params): Query<TrailParams>,
) -> Result<TrailPage, Error> {
    if params.act.as_deref().is_some_and(|act| AuditAction::parse(act).is_none()) {
        return Err(refused(UNKNOWN_ACTION).into());
    }
    let wanted = limit(params.limit.map(|limit| limit.to_string()))?;
    let filter = TrailFilter {
        act: params.act.clone(),
        actor: params.actor.map(UserId),
        subject: params.subject.map(UserId),
        from: params.from.map(ApiTime::moment),
        to: params.to.map(ApiTime::moment),
    };
    let after = i64::try_from(params.after.unwrap_or(0)).unwrap_or(i64::MAX);
    let more = i64::try_from(wanted + 1).unwrap_or(i64::MAX);
    let mut records = ctx.accounts().audit.linked(filter, after, more).await?;
    let has_more = records.len() > wanted;
    records.truncate(wanted);
    let last = records.last().filter(|_| has_more).map(|last| last.seq);
    let next = last.map(|seq| format!("{}?{}", ctx.path(), params.after(seq, wanted)));
    let items = records.iter().map(EventOut::from).collect();
    Ok(TrailPage { page: ListPage { items, next: last.map(|seq| seq.to_string()) }, next })
}

impl TrailParams {
    /// The query of the page after an event.
    fn after(&self, seq: i64, limit: usize) -> String {
        let text = |time: Option<ApiTime>| time.and_then(|time| Some(json!(time).as_str()?.to_owned()));
        let pairs = [
            ("after", Some(seq.to_string())),
            ("act", self.act.clone()),
            ("actor", self.actor.map(|id| id.to_string())),
            ("subject", self.subject.map(|id| id.to_string())),
            ("from", text(self.from)),
            ("to", text(self.to)),
            ("limit", Some(limit.to_string())),
        ];
        let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

impl Responder for TrailPage {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::VARY, header::ACCEPT.as_str()));
        if let Some(next) = self.next {
            response.insert_header((header::LINK, format!("<{next}>; rel=\"next\"")));
        }
        if !prefers_lines(request) {
            return response.json(self.page);
        }
        let line =
            |event: &EventOut| serde_json::to_string(event).map(|line| line + "\n").unwrap_or_default();
        response.content_type(NDJSON).body(self.page.items.iter().map(line).collect::<String>())
    }
}

/// Whether `Accept` names newline-delimited JSON with a higher quality than JSON (RFC 9110 §12.5.1).
fn prefers_lines(request: &HttpRequest) -> bool {
    let Ok(accept) = Accept::parse(request) else { return false };
    quality(&accept, "x-ndjson") > quality(&accept, "json")
}

/// The quality of a type, by the most specific range that covers it.
fn quality(accept: &Accept, subtype: &str) -> Quality {
    let precision = |range: &str, kind: &str| match (range, kind) {
        ("application", kind) if kind == subtype => Some(2),
        ("application", "*") => Some(1),
        ("*", "*") => Some(0),
        _ => None,
    };
    let covering = accept.iter().filter_map(|range| {
        let (kind, quality) = (&range.item, range.quality);
        Some((precision(kind.type_().as_str(), kind.subtype().as_str())?, quality))
    });
    covering.max_by_key(|(precision, _)| *precision).map_or(Quality::ZERO, |(_, quality)| quality)
}

impl DescribedAnswer for TrailPage {
    fn describe(operation: &mut DescribedOperation) {
        ListPage::<EventOut>::describe(operation);
        operation.answer_header(200, "Link", "The next page, with `rel=\"next\"`.");
        operation.answer_header(200, "Vary", "`Accept`, which chooses between JSON and lines.");
        if let Some(answer) = operation.answers.get_mut(&200) {
            let what = "One event per line, on `Accept: application/x-ndjson`.";
            answer["content"][NDJSON] = json!({ "schema": { "type": "string", "description": what } });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_preferred_format_is_sent() {
        for (accept, lines) in [
            ("application/x-ndjson", true),
            ("application/x-ndjson, application/json;q=0.5", true),
            ("application/json;q=0.5, application/x-ndjson;q=0.6", true),
            ("APPLICATION/X-NDJSON, */*;q=0.1", true),
            ("application/x-ndjson;q=0, application/json", false),
            ("application/x-ndjson;q=0", false),
            ("application/json, application/x-ndjson;q=0.9", false),
            ("text/html, */*", false),
            ("application/*", false),
            ("text/x; a=\"application/x-ndjson\"", false),
            ("", false),
        ] {
            let request = TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request();
            assert_eq!(prefers_lines(&request), lines, "{accept}");
        }
        assert!(!prefers_lines(&TestRequest::default().to_http_request()));
    }
}
