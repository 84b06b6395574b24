//! ETags and the preconditions that name them (RFC 9110 §13). An operation checks them in its transaction, so that of two
//! changes of one state only one is made.

use std::future::{Future, Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use serde_json::{Value, json};

use super::operation::{DescribedArg, DescribedOperation};
use super::problems::changed_since;
use crate::secret::{encode, sha256};
use crate::web::http::error::Error;

/// `If-Match` and `If-None-Match` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The item must be in one of these states.
    only: Option<NamedStates>,
    /// The item must be in none of these states.
    not: Option<NamedStates>,
}

/// The states that a header names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NamedStates {
    /// `*`: any state of an item that exists.
    Any,
    Tagged(Vec<EntityTag>),
}

/// An ETag that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntityTag {
    is_weak: bool,
    /// With its quotes.
    quoted: String,
}

/// The ETag of a state.
pub fn etag(version: &Value) -> String {
    let digest = sha256(version.to_string().as_bytes());
    // 128 bits are enough for no two states of an item to have the same tag.
    format!("\"{}\"", encode(&digest[..16]))
}

impl Precondition {
    fn of(headers: &HeaderMap) -> Self {
        Self { only: named(headers, header::IF_MATCH), not: named(headers, header::IF_NONE_MATCH) }
    }

    /// Whether the request may change an item with this state; `None`: the item does not exist.
    pub fn admits(&self, version: Option<&Value>) -> bool {
        let tag = version.map(etag);
        self.matches(tag.as_deref()) && !self.is_excluded(tag.as_deref())
    }

    /// Whether `If-Match` names the state. Weak tags equal no state (strong comparison, RFC 9110 §8.8.3.2).
    fn matches(&self, tag: Option<&str>) -> bool {
        match (&self.only, tag) {
            (None, _) | (Some(NamedStates::Any), Some(_)) => true,
            (Some(_), None) => false,
            (Some(NamedStates::Tagged(tags)), Some(tag)) => {
                tags.iter().any(|named| !named.is_weak && named.quoted == tag)
            }
        }
    }

    /// Whether `If-None-Match` names the state (weak comparison).
    fn is_excluded(&self, tag: Option<&str>) -> bool {
        match (&self.not, tag) {
            (None, _) | (Some(_), None) => false,
            (Some(NamedStates::Any), Some(_)) => true,
            (Some(NamedStates::Tagged(tags)), Some(tag)) => tags.iter().any(|named| named.quoted == tag),
        }
    }

    /// For an item that has no ETag. `exists` is asked only if there is a precondition. There is no state but existence that
    /// could change before the transaction.
    ///
    /// # Errors
    /// 412, or the error of `exists`.
    pub async fn check_existence(
        &self,
        exists: impl Future<Output = Result<bool, Error>>,
    ) -> Result<(), Error> {
        if *self == Self::default() {
            return Ok(());
        }
        // No client can name this tag.
        let tag = exists.await?.then_some("");
        match self.matches(tag) && !self.is_excluded(tag) {
            true => Ok(()),
            false => Err(changed_since().into()),
        }
    }

    /// The same for an item that has to exist.
    ///
    /// # Errors
    /// 404, 412, or the error of `exists`.
    pub async fn check_found(&self, exists: impl Future<Output = Result<bool, Error>>) -> Result<(), Error> {
        let found = async { if exists.await? { Ok(true) } else { Err(Error::NotFound) } };
        self.check_existence(found).await
    }
}

/// The preconditions of a request that reads an item.
pub struct ReadCondition(Precondition);

impl ReadCondition {
    /// `false`: the client knows this state already (304).
    ///
    /// # Errors
    /// 412.
    pub fn is_needed(&self, tag: &str) -> Result<bool, Error> {
        match self.0.matches(Some(tag)) {
            true => Ok(!self.0.is_excluded(Some(tag))),
            false => Err(changed_since().into()),
        }
    }
}

/// The states that a header names; `None` without the header. What follows a value that is no tag is ignored.
fn named(headers: &HeaderMap, name: HeaderName) -> Option<NamedStates> {
    let mut values = headers.get_all(name).peekable();
    values.peek()?;
    let texts: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
    let list = texts.join(",");
    if list.trim() == "*" {
        return Some(NamedStates::Any);
    }
    let (mut rest, mut tags) = (list.as_str(), Vec::new());
    while let Some((tag, after)) = first_tag(rest.trim_start_matches([',', ' ', '\t'])) {
        tags.push(tag);
        rest = after;
    }
    Some(NamedStates::Tagged(tags))
}

/// The tag at the beginning of a list, and the rest. A tag may contain commas.
fn first_tag(list: &str) -> Option<(EntityTag, &str)> {
    let (is_weak, strong) = match list.strip_prefix("W/") {
        Some(strong) => (true, strong),
        None => (false, list),
    };
    let end = strong.strip_prefix('"')?.find('"')? + 2;
    let (quoted, rest) = strong.split_at(end);
    Some((EntityTag { is_weak, quoted: quoted.to_owned() }, rest))
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

impl FromRequest for ReadCondition {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Precondition::of(request.headers()))))
    }
}

impl DescribedArg for ReadCondition {
    fn describe(operation: &mut DescribedOperation) {
        let text = json!({ "type": "string" });
        operation.parameter("header", "If-Match", "Answer only if the item has this ETag.", text.clone());
        let known = "An ETag that you know: the item is sent only if it has another one.";
        operation.parameter("header", "If-None-Match", known, text);
        operation.answers.insert(
            304,
            json!({ "description": "The item has the ETag in `If-None-Match`; there is no body." }),
        );
        operation.refuses(412, "The item does not match `If-Match`.");
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
        for value in [
            tag.clone(),
            "*".into(),
            format!("\"x\", {tag}"),
            format!("\"x\",{tag},\"y\""),
            format!(" ,\t\"a,*,b\" , {tag}"),
        ] {
            assert!(when(header::IF_MATCH, &value).admits(Some(&one)), "{value}");
            assert!(!when(header::IF_MATCH, &value).admits(None), "{value}");
            assert!(!when(header::IF_NONE_MATCH, &value).admits(Some(&one)), "{value}");
            assert!(when(header::IF_NONE_MATCH, &value).admits(None), "{value}");
        }
        for value in [tag.as_str(), &format!("W/{tag}"), "", "x", &tag[1..], "\"a,*,b\"", "\"*\"", "\"", "W/"]
        {
            assert!(!when(header::IF_MATCH, value).admits(Some(&two)), "{value}");
            assert!(when(header::IF_NONE_MATCH, value).admits(Some(&two)), "{value}");
        }
    }

    #[test]
    fn a_weak_tag_excludes_a_state_and_matches_none() {
        let one = json!({ "note": 1 });
        let weak = format!("W/{}", etag(&one));
        assert!(!when(header::IF_MATCH, &weak).admits(Some(&one)));
        assert!(!when(header::IF_NONE_MATCH, &weak).admits(Some(&one)));
    }

    #[test]
    fn tags_of_several_headers_are_one_list() {
        let one = json!({ "note": 1 });
        let mut headers = HeaderMap::new();
        for value in ["\"x\"", &etag(&one)] {
            headers.append(header::IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        assert!(Precondition::of(&headers).admits(Some(&one)));
    }

    #[test]
    fn a_reader_gets_the_item_unless_it_knows_the_tag() {
        let tag = etag(&json!({ "note": 1 }));
        let read = |name, value: &str| ReadCondition(when(name, value)).is_needed(&tag).ok();
        assert_eq!(ReadCondition(Precondition::default()).is_needed(&tag).ok(), Some(true));
        for known in [tag.clone(), format!("W/{tag}"), "*".into()] {
            assert_eq!(read(header::IF_NONE_MATCH, &known), Some(false), "{known}");
        }
        assert_eq!(read(header::IF_NONE_MATCH, "\"other\""), Some(true));
        assert_eq!(read(header::IF_MATCH, &tag), Some(true));
        assert_eq!(read(header::IF_MATCH, "\"other\""), None);
    }
}
