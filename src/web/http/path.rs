//! Parameters of the path, taken by name: in `Path<ById>` the field `id` is the parameter `{id}` of the row's pattern.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::Error;

/// A parameter that cannot be read names nothing that exists: 404.
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

/// By the public name of a session.
#[derive(Deserialize)]
pub struct ByHandle {
    pub handle: Uuid,
}
