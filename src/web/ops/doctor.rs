//! The query that `latchkey doctor --url` sends to a running instance through its public address: whether it is our
//! instance, and which client address it sees. Only a caller that has the secret gets an answer; all others get 404.

use std::net::IpAddr;

use actix_http::RequestHead;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::signed_answer::{is_fresh, sign, stamp, verified};
use crate::secret::{Secret, encode};
use crate::web::http::client_address;
use crate::web::http::methods::read_only;
use crate::web::http::shared::Shared;

pub const PATH: &str = "/.well-known/latchkey-doctor";

/// The header of a query: seconds, a nonce, and their signature.
pub use crate::web::http::headers::DOCTOR_QUESTION as HEADER;

pub use super::signed_answer::FRESH_FOR;

const ASKED: &str = "doctor-asked";
const ANSWERED: &str = "doctor-answered";

/// What an instance saw of the request that carried the query.
#[derive(Serialize, Deserialize)]
pub struct ObservedRequest {
    /// The IP address that counts as the client's.
    pub client: Option<IpAddr>,
    /// The IP address of the peer: the nearest proxy, if there is one.
    pub peer: Option<IpAddr>,
    /// How many addresses `X-Forwarded-For` contained.
    pub forwarded: usize,
    pub trusted_hops: usize,
    /// `http` or `https`, as the proxy reports it.
    pub proto: Option<String>,
    pub public: String,
    pub version: String,
}

/// A new query.
pub fn question(secret: &Secret) -> Result<String, getrandom::Error> {
    let (at, once) = stamp()?;
    let signature = encode(&secret.mac(ASKED, &[at.to_string().as_bytes(), once.as_bytes()]));
    Ok(format!("{at}.{once}.{signature}"))
}

/// The content of the answer to `question`, if its signature proves that the instance has the secret.
pub fn verified_answer(secret: &Secret, question: &str, body: &[u8]) -> Option<ObservedRequest> {
    verified(secret, ANSWERED, question, body)
}

pub fn mount(config: &mut ServiceConfig) {
    let there = fn_guard(|context| is_asked(context).is_some());
    config.service(read_only(PATH, answer).guard(there));
}

fn is_asked(context: &GuardContext<'_>) -> Option<()> {
    is_question(context.app_data::<Data<Shared>>()?, context.head()).then_some(())
}

/// Whether this is a signed query of `latchkey doctor`, on any host.
pub fn is_question(shared: &Shared, head: &RequestHead) -> bool {
    head.uri.path() == PATH
        && given(head.headers()).is_some_and(|question| is_valid(&shared.secret, question))
}

pub(super) fn given(headers: &HeaderMap) -> Option<&str> {
    headers.get(HEADER)?.to_str().ok()
}

fn is_valid(secret: &Secret, question: &str) -> bool {
    let parts: Vec<&str> = question.split('.').collect();
    let [at, once, signature] = parts[..] else { return false };
    is_fresh(at) && secret.signed(ASKED, &[at.as_bytes(), once.as_bytes()], signature)
}

/// What this instance sees of a request.
pub fn observed(head: &RequestHead, shared: &Shared) -> ObservedRequest {
    let written = head.headers.get_all("x-forwarded-for");
    let proto = head.headers.get("x-forwarded-proto").and_then(|proto| proto.to_str().ok());
    ObservedRequest {
        client: client_address::of_head(head, shared.trusted_hops),
        peer: head.peer_addr.map(|peer| peer.ip().to_canonical()),
        forwarded: written.map(|header| header.as_bytes().split(|byte| *byte == b',').count()).sum(),
        trusted_hops: shared.trusted_hops,
        proto: proto.filter(|proto| ["http", "https"].contains(proto)).map(str::to_owned),
        public: shared.public.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

async fn answer(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    let seen = observed(request.head(), &shared);
    let answer =
        given(request.headers()).and_then(|question| sign(&shared.secret, ANSWERED, question, &seen));
    answer.map_or_else(|| HttpResponse::NotFound().finish(), |answer| HttpResponse::Ok().json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::parse(text).unwrap()
    }

    #[test]
    fn only_a_fresh_question_with_the_secret_is_one() {
        let ours = secret("0123456789abcdefghijklmnopqrstuvwxyz");
        let asked = question(&ours).unwrap();
        assert!(is_valid(&ours, &asked));
        assert!(!is_valid(&secret("zyxwvutsrqponmlkjihgfedcba9876543210"), &asked));
        let (at, rest) = asked.split_once('.').unwrap();
        for (shift, fresh) in [(-59, false), (59, false), (0, true)] {
            let moved = format!("{}.{rest}", at.parse::<i64>().unwrap() + shift);
            assert_eq!(is_valid(&ours, &moved), fresh, "the time is signed");
        }
        let old = (time::OffsetDateTime::now_utc().unix_timestamp() - 62).to_string();
        let signature = encode(&ours.mac(ASKED, &[old.as_bytes(), b"once"]));
        assert!(!is_valid(&ours, &format!("{old}.once.{signature}")));
        for nothing in ["", "..", "1.2", "a.b.c", "1.2.3.4"] {
            assert!(!is_valid(&ours, nothing), "{nothing}");
        }
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let ours = secret("0123456789abcdefghijklmnopqrstuvwxyz");
        let seen = ObservedRequest {
            client: None,
            peer: None,
            forwarded: 0,
            trusted_hops: 0,
            proto: None,
            public: "x".into(),
            version: "1".into(),
        };
        let body = serde_json::to_vec(&sign(&ours, ANSWERED, "one", &seen).unwrap()).unwrap();
        assert!(verified_answer(&ours, "one", &body).is_some());
        assert!(verified_answer(&ours, "two", &body).is_none());
        assert!(verified_answer(&ours, "one", b"<!DOCTYPE html>").is_none());
    }
}
