//! The query of a request: only the documented parameters, each at most once, in valid UTF-8; otherwise 400.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded::Serializer;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::operation::{DescribedArg, DescribedOperation};
use crate::web::copy::api::unexpected_parameter;
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::problem::Problem;
use crate::web::http::urlencoded::{self, Malformed};

/// The parameters, parsed as `T`.
pub struct Query<T>(pub T);

/// The parameters of a list that has no filters.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct NoParams {}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = pairs(request).and_then(|pairs| parse(&canonical(&pairs)));
        ready(read.map(Self).map_err(Error::from))
    }
}

impl<T: IntoParams> DescribedArg for Query<T> {
    const IS_QUERY: bool = true;

    fn describe(operation: &mut DescribedOperation) {
        describe::<T>(operation);
    }
}

/// Adds the parameters of `T`.
pub fn describe<T: IntoParams>(operation: &mut DescribedOperation) {
    for parameter in T::into_params(|| Some(ParameterIn::Query)) {
        let mut parameter = serde_json::to_value(parameter).unwrap_or_default();
        // A parameter can be absent, but not null.
        if let Some(kind) = parameter.pointer_mut("/schema/type")
            && let Some(kinds) = kind.as_array()
        {
            *kind = kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default();
        }
        if let Some(Value::Array(choices)) = parameter.pointer_mut("/schema/oneOf")
            && let Some(chosen) = choices.iter().find(|choice| choice["type"] != "null").cloned()
        {
            parameter["schema"] = chosen;
        }
        operation.parameters.push(parameter);
    }
    operation.refuses(400, "A parameter is unknown, repeated or of the wrong type.");
}

/// The parameters in order, decoded.
pub fn pairs(request: &HttpRequest) -> Result<Vec<(String, String)>, Problem> {
    urlencoded::pairs(request.query_string().as_bytes()).map_err(|why: Malformed| malformed(&why.to_string()))
}

/// The parameters in a canonical order and encoding.
pub fn canonical(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_unstable();
    Serializer::new(String::new()).extend_pairs(sorted).finish()
}

/// # Errors
/// 400.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let read = web::Query::<T>::from_query(query).map(web::Query::into_inner);
    read.map_err(|error| {
        let why = error.to_string();
        malformed(why.trim_start_matches("Query deserialize error: "))
    })
}

fn malformed(why: &str) -> Problem {
    refused(unexpected_parameter(why))
}

/// 400 with the reason.
pub fn refused(why: impl Into<Phrase>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, why).at("")
}

/// For an operation without parameters.
///
/// # Errors
/// 400.
pub fn refuse_any(request: &HttpRequest) -> Result<(), Problem> {
    parse(&canonical(&pairs(request)?)).map(|NoParams {}| ())
}
