//! Path parameters, extracted by name: in `Path<ById>` the field `id` is the parameter `{id}` of the row's pattern.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::Error;

/// A parameter that cannot be parsed identifies nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Path::<T>::from_request(request, &mut Payload::None).into_inner();
        ready(read.map(|path| Self(path.into_inner())).map_err(|_| Error::NotFound))
    }
}

#[derive(Deserialize)]
pub struct ById {
    pub id: Uuid,
}

/// By the session's public handle.
#[derive(Deserialize)]
pub struct ByHandle {
    pub handle: Uuid,
}

/// A path parameter: the short name of an app.
#[derive(Deserialize)]
pub struct BySlug {
    pub slug: String,
}

/// Path parameters: an app, and the name of a proxy.
#[derive(Deserialize)]
pub struct ByProxy {
    pub slug: String,
    pub proxy: String,
}

/// Path parameters: an app, and the number of a rule on its page. A text, so that a form is checked before it is
/// read as a number.
#[derive(Deserialize)]
pub struct ByRule {
    pub slug: String,
    pub number: String,
}

/// A path parameter: the name of a group.
#[derive(Deserialize)]
pub struct ByName {
    pub name: String,
}

/// Path parameters: a group and a user.
#[derive(Deserialize)]
pub struct ByMember {
    pub name: String,
    pub user: Uuid,
}
