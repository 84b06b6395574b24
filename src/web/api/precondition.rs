//! ETags and the preconditions that name them (RFC 9110 §13). An operation checks them in its transaction, so that of two
//! changes of one state only one is made.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use serde_json::{Value, json};

use super::operation::{DescribedArg, DescribedOperation};
use crate::secret::{encode, sha256};
use crate::web::http::error::Error;

/// `If-Match` and `If-None-Match` of a request that changes something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The item must be in one of these states; `*` is any state.
    only: Option<Vec<String>>,
    /// The item must be in none of these states; `*` is any state.
    not: Option<Vec<String>>,
}

/// The ETag of a state.
pub fn etag(version: &Value) -> String {
    let digest = sha256(version.to_string().as_bytes());
    // 128 bits are enough for no two states of an item to have the same tag.
    format!("\"{}\"", encode(&digest[..16]))
}

impl Precondition {
    fn of(headers: &HeaderMap) -> Self {
        Self { only: tags(headers, header::IF_MATCH), not: tags(headers, header::IF_NONE_MATCH) }
    }

    /// Whether the request may act on an item with this state; `None`: the item does not exist.
    pub fn admits(&self, version: Option<&Value>) -> bool {
        let tag = version.map(etag);
        let names =
            |tags: &Vec<String>| tag.as_ref().is_some_and(|tag| tags.iter().any(|t| t == "*" || t == tag));
        self.only.as_ref().is_none_or(names) && !self.not.as_ref().is_some_and(names)
    }
}

/// The listed tags; `None` without the header. A weak tag equals no state (RFC 9110 §8.8.3.2), and neither does a value
/// that is no tag.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).peekable();
    values.peek()?;
    let listed = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    Some(listed.map(|tag| tag.trim().to_owned()).collect())
}

impl FromRequest for Precondition {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request.headers())))
    }
}

impl DescribedArg for Precondition {
    fn describe(operation: &mut DescribedOperation) {
        let text = json!({ "type": "string" });
        operation.parameter("header", "If-Match", "Act only if the item has this ETag.", text.clone());
        operation.parameter("header", "If-None-Match", "`*`: act only if the item does not exist.", text);
        operation.refuses(412, "The item does not match `If-Match` or `If-None-Match`.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn when(name: HeaderName, value: &str) -> Precondition {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        Precondition::of(&headers)
    }

    #[test]
    fn a_precondition_names_states() {
        let (one, two) = (json!({ "note": 1 }), json!({ "note": 2 }));
        let tag = etag(&one);
        assert!(Precondition::default().admits(None) && Precondition::default().admits(Some(&one)));
        for value in [tag.clone(), "*".into(), format!("\"x\", {tag}"), format!("\"x\",{tag},\"y\"")] {
            assert!(when(header::IF_MATCH, &value).admits(Some(&one)), "{value}");
            assert!(!when(header::IF_MATCH, &value).admits(None), "{value}");
            assert!(!when(header::IF_NONE_MATCH, &value).admits(Some(&one)), "{value}");
            assert!(when(header::IF_NONE_MATCH, &value).admits(None), "{value}");
        }
        for value in [tag.as_str(), &format!("W/{tag}"), "", "x", &tag[1..]] {
            assert!(!when(header::IF_MATCH, value).admits(Some(&two)), "{value}");
        }
        assert!(!when(header::IF_MATCH, &format!("W/{tag}")).admits(Some(&one)));
    }
}
