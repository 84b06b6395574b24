//! The body of a request: JSON of exactly the documented form. Syntax errors are 400; unknown or duplicate fields, wrong
//! types and control characters are 422 and name the value.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};
use utoipa::ToSchema;

use super::operation::{DescribedArg, DescribedOperation};
use crate::db::Fault;
use crate::web::copy::api::{CONTROL_CHARACTER, NOT_JSON, NOT_OBJECT, unexpected_value};
use crate::web::http::error::Error;
use crate::web::http::problem::Problem;
use crate::web::http::request_state::RequestState;
use crate::web::http::urlencoded::has_control;

/// The body, parsed as `T`.
pub struct Input<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Input<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = RequestState::of(request);
        ready(match state.body.get() {
            Some(body) => parse(body).map(Self).map_err(Error::from),
            None => Err(Fault::Bug("a body outside of a row that takes one".into()).into()),
        })
    }
}

impl<T: ToSchema + 'static> DescribedArg for Input<T> {
    const IS_BODY: bool = true;

    fn describe(operation: &mut DescribedOperation) {
        let schema = operation.refer::<T>();
        operation.body =
            Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
        operation.refuses(400, "The body is not JSON.");
        operation.refuses(408, "The body did not arrive in time.");
        operation.refuses(413, "The body is larger than 64 KiB.");
        operation.refuses(415, "The body is of another type than `application/json`.");
        operation.refuses(422, "A value is not accepted; `errors` names it.");
    }
}

/// # Errors
/// 400 or 422.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let whole: Value =
        serde_json::from_slice(body).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, NOT_JSON))?;
    // serde would also accept an array with the fields of an object in their order.
    if !whole.is_object() || has_array_in_array(&whole) {
        return Err(Problem::invalid("", NOT_OBJECT));
    }
    // As in forms, no text contains a control character. Postgres stores no NUL.
    if let Some(pointer) = control_character(&whole) {
        return Err(Problem::invalid(pointer, CONTROL_CHARACTER));
    }
    // Parsed from the text again, because `whole` no longer shows repeated fields.
    let mut reader = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (pointer, why) = (pointer(error.path()), error.inner().to_string());
        // The pointer is more useful than the line and column of the parser.
        let why = why.split(" at line ").next().unwrap_or_default();
        Problem::invalid(pointer, unexpected_value(why))
    })
}

/// No documented body has nested arrays.
fn has_array_in_array(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item.is_array() || has_array_in_array(item)),
        Value::Object(fields) => fields.values().any(has_array_in_array),
        _ => false,
    }
}

/// The pointer to the first string, or the first name of a field, with a control character. It is put together only when
/// one is found, because names may be long.
fn control_character(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => has_control(text).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| control_character(item).map(|below| format!("/{index}{below}"))),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| match has_control(name) {
            true => Some(String::new()),
            false => control_character(field).map(|below| format!("/{}{below}", escaped(name))),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn pointer(path: &Path) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

/// A reference token (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RuleBody {
        note: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct LimitBody {
        limit: Option<u32>,
        rules: Option<Vec<RuleBody>>,
    }

    fn refused(body: &str) -> (u16, String) {
        let problem = parse::<LimitBody>(body.as_bytes()).unwrap_err();
        let pointer = problem.errors.first().map(|error| error.pointer.clone());
        (problem.status.as_u16(), pointer.unwrap_or_default())
    }

    #[test]
    fn a_body_that_is_not_json_is_400() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for body in ["", "{", "{}x", "{\"limit\":1e999}", "\u{feff}{}", "{\"limit\":01}", &deep] {
            assert_eq!(refused(body).0, 400, "{body}");
        }
        assert!(parse::<LimitBody>(b"{\"limit\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_value_that_is_not_as_documented_is_422_and_named() {
        for (body, pointer) in [
            ("[]", ""),
            ("null", ""),
            ("{\"rules\":[[\"a\"]]}", ""),
            ("{\"other\":1}", "/other"),
            ("{\"limit\":1,\"limit\":2}", "/limit"),
            ("{\"limit\":\"1\"}", "/limit"),
            ("{\"limit\":-1}", "/limit"),
            ("{\"limit\":4294967296}", "/limit"),
            ("{\"limit\":1.5}", "/limit"),
            ("{\"rules\":[{},{\"note\":7}]}", "/rules/1/note"),
            ("{\"rules\":[{\"note\":\"a\\u0000b\"}]}", "/rules/0/note"),
        ] {
            let (status, found) = refused(body);
            assert_eq!(status, 422, "{body}");
            // A field that is unknown or duplicate is named by its object, or by itself.
            assert!(found == pointer || pointer.starts_with(&found), "{body}: {found}");
        }
        let sample = parse::<LimitBody>(b" {\"limit\": 1, \"rules\": [{}]} ").unwrap();
        assert_eq!(sample.limit, Some(1));
        assert!(sample.rules.unwrap().iter().all(|rule| rule.note.is_none()));
    }

    #[test]
    fn the_search_for_control_characters_does_not_copy_long_names() {
        let body = serde_json::json!({ "x".repeat(32_000): vec![1; 16_000] }).to_string();
        let begun = std::time::Instant::now();
        assert_eq!(refused(&body).0, 422);
        assert!(begun.elapsed() < std::time::Duration::from_millis(200), "{:?}", begun.elapsed());
    }
}
