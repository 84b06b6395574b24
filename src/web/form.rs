//! A form's fields, read only after the guard has spoken, and only with this visitor's own token.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::{Data, Payload as Body};
use actix_web::{FromRequest, HttpRequest};
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};

use super::error::Error;
use super::{Shared, body, csrf, next, urlencoded, visit};
use crate::db::Fault;

/// The fields a handler wants. Missing ones are empty, unknown ones an error.
pub trait Input: DeserializeOwned + 'static {
    /// Only logging out does without: with no session there is nothing a stranger could do.
    const TOKEN_WITHOUT_SESSION: bool = true;
}

/// The last argument of every POST handler, but for [`Json`](super::json::Json): without it the route table does not compile.
pub struct Form<T> {
    pub input: T,
    pub fields: Fields,
}

/// What was typed, for showing it again beside what is wrong with it.
#[derive(Default)]
pub struct Fields {
    values: Vec<(String, String)>,
    errors: Vec<(&'static str, String)>,
    show: bool,
}

/// Never sent back, except to those who pressed "Show" or "Hide".
const SECRETS: [&str; 4] = ["password", "current_password", "code", "codes"];

impl Fields {
    pub fn new(values: Vec<(String, String)>) -> Self {
        Self { values, ..Self::default() }
    }

    /// As after pressing "Show".
    pub fn showing(values: Vec<(String, String)>) -> Self {
        Self { values, show: true, ..Self::default() }
    }

    /// `toggle`: what "Show" or "Hide" sent, if one of them was pressed.
    fn typed(mut values: Vec<(String, String)>, toggle: Option<&str>) -> Self {
        let show = toggle == Some("1");
        if toggle.is_none() {
            values.retain(|(name, _)| !SECRETS.contains(&name.as_str()));
        }
        Self { values, errors: Vec::new(), show }
    }

    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.values.retain(|(key, _)| key != name);
        self.values.push((name.to_owned(), value.to_owned()));
    }

    pub fn checked(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    /// Where to go afterwards, if that is a page of ours.
    pub fn next(&self) -> &str {
        next::safe(self.value("next")).unwrap_or_default()
    }

    pub fn show(&self) -> bool {
        self.show
    }

    pub fn refuse(&mut self, name: &'static str, why: impl ToString) {
        self.errors.push((name, why.to_string()));
    }

    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(key, _)| *key == name).map(|(_, why)| why.as_str())
    }

    pub fn errors(&self) -> &[(&'static str, String)] {
        &self.errors
    }
}

impl<T> Form<T> {
    /// Somebody pressed "Show" or "Hide": draw the page again, do nothing.
    pub fn only_toggles(&self) -> bool {
        self.fields.checked("show")
    }
}

impl<T: Input> FromRequest for Form<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, body) = (request.clone(), Body::from_request(request, payload));
        Box::pin(async move {
            let body = body.await.map_err(|_| Error::NotAForm)?;
            let (bytes, typed) = body::read(&request, body, "application/x-www-form-urlencoded").await?;
            // A body has a type; having neither is an empty form.
            if !typed && !bytes.is_empty() {
                return Err(Error::NotAForm);
            }
            parse(&request, &bytes)
        })
    }
}

fn parse<T: Input>(request: &HttpRequest, bytes: &[u8]) -> Result<Form<T>, Error> {
    let shared = request.app_data::<Data<Shared>>().ok_or_else(|| Fault::Bug("no shared state".into()))?;
    let mut pairs = urlencoded::pairs(bytes).map_err(Error::Malformed)?;
    let token = take(&mut pairs, "csrf_token").unwrap_or_default();
    let needed = T::TOKEN_WITHOUT_SESSION || visit::handle().is_some();
    if needed && !csrf::is_own(request, shared, &token) {
        return Err(Error::ForeignForm);
    }
    let toggle = take(&mut pairs, "show");
    let input = T::deserialize(MapDeserializer::<_, ValueError>::new(
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().into_deserializer())),
    ))
    .map_err(|_| Error::UnknownField)?;
    let mut fields = Fields::typed(pairs, toggle.as_deref());
    if toggle.is_some() {
        fields.set("show", "1");
    }
    Ok(Form { input, fields })
}

fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = pairs.iter().position(|(key, _)| key == name)?;
    Some(pairs.remove(at).1)
}
