//! A form's fields, read only after the guard has admitted the request, and only with the visitor's own token.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::csrf::{self, TokenProblem};
use super::error::Error;
use super::request_state::RequestState;
use super::{fields, return_to, urlencoded};
use crate::db::Fault;
use crate::web::copy::phrase::Phrase;

/// The fields of a handler. Missing fields are empty; unknown ones are ignored, because browser extensions and wallets
/// add fields.
pub trait FormInput: DeserializeOwned + 'static {
    /// `false` only for logging out: without a session, a forged request has no effect.
    const TOKEN_WITHOUT_SESSION: bool = true;

    /// If the visitor has logged in (in another tab) since the page was opened, the answer redirects to `next` instead.
    const GOES_ON_IF_LOGGED_IN: bool = false;
}

/// The last argument of every POST handler that does not take [`Json`](super::json::Json); without it the route table
/// does not compile.
pub struct Form<T> {
    pub input: T,
    pub fields: Fields,
}

/// A field whose value is shown again with the form.
#[derive(Clone, Default, Deserialize)]
#[serde(rename = "Text")]
pub struct Text(pub String);

/// A field whose value is never shown again: passwords and codes. No `Debug`, no `Display`. Only if the user presses
/// "Show" or "Hide" does the page contain the value once more. Fields of any other type are not shown again either.
#[derive(Clone, Default, Deserialize)]
#[serde(rename = "SecretText")]
pub struct SecretText(SecretString);

/// A field whose value the page sets, not the user. It is not shown again, because the page sets it anew.
#[derive(Clone, Default, Deserialize)]
#[serde(rename = "Preset")]
pub struct Preset(pub String);

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Preset {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretText {
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// The typed values, to be shown again beside the errors.
#[derive(Default)]
pub struct Fields {
    values: Vec<(String, String)>,
    errors: Vec<(&'static str, Phrase)>,
    show: bool,
}

impl Fields {
    pub fn new(values: Vec<(String, String)>) -> Self {
        Self { values, ..Self::default() }
    }

    /// The same, including secret fields, after the user pressed "Show".
    pub fn showing(values: Vec<(String, String)>) -> Self {
        Self { values, show: true, ..Self::default() }
    }

    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether the field has this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.values.retain(|(key, _)| key != name);
        self.values.push((name.to_owned(), value.to_owned()));
    }

    pub fn checked(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    /// Where to redirect afterwards, if it is a path of this site.
    pub fn next(&self) -> &str {
        return_to::safe(self.value("next")).unwrap_or_default()
    }

    pub fn show(&self) -> bool {
        self.show
    }

    pub fn refuse(&mut self, name: &'static str, why: impl Into<Phrase>) {
        self.errors.push((name, why.into()));
    }

    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(key, _)| *key == name).map(|(_, why)| &*why.text)
    }

    pub fn errors(&self) -> &[(&'static str, Phrase)] {
        &self.errors
    }
}

/// A submitted form: the fields that every form may have, and its own.
pub struct PostedForm {
    token: String,
    /// The value of "Show" or "Hide", if one of them was pressed.
    show: Option<String>,
    /// Set if the form was carried through the confirmation page and is only to be shown again. The value is the path
    /// of the form.
    pub carried_back_to: Option<String>,
    pairs: Vec<(String, String)>,
}

impl PostedForm {
    /// The form in the body of this request.
    pub fn of(request: &HttpRequest) -> Result<Self, Error> {
        let state = RequestState::of(request);
        let body = state.body.get().ok_or_else(|| Fault::Bug("a form outside of the route table".into()))?;
        let mut pairs = urlencoded::pairs(body)?;
        let mut take = |name: &str| {
            let at = pairs.iter().position(|(key, _)| key == name)?;
            Some(pairs.remove(at).1)
        };
        let (token, show) = (take("csrf_token").unwrap_or_default(), take("show"));
        let carried_back_to = take("draft");
        Ok(Self { token, show, carried_back_to, pairs })
    }

    /// Whether the form contains this visitor's token.
    pub fn check_token(&self, request: &HttpRequest) -> Result<(), TokenProblem> {
        csrf::check(request, &self.token)
    }

    /// The fields of a form with exactly this input.
    pub fn read<T: FormInput>(&self) -> Result<Form<T>, Error> {
        let toggled = self.show.is_some();
        let (input, values) =
            fields::read(&self.pairs, toggled).map_err(|error| Error::UnknownField(error.into()))?;
        let mut fields = Fields { values, errors: Vec::new(), show: self.show.as_deref() == Some("1") };
        if toggled {
            fields.set("show", "1");
        }
        Ok(Form { input, fields })
    }

    /// The values of the fields that may be shown again, regardless of the button that was pressed.
    pub fn texts<T: FormInput>(&self) -> Result<Vec<(String, String)>, Error> {
        let (_, texts) =
            fields::read::<T>(&self.pairs, false).map_err(|error| Error::UnknownField(error.into()))?;
        Ok(texts)
    }

    fn next(&self, request: &HttpRequest) -> Option<String> {
        let typed = self.pairs.iter().find(|(name, _)| name == "next").map(|(_, value)| value.as_str());
        let asked = urlencoded::query(request, "next");
        typed.and_then(return_to::safe).or(return_to::safe(&asked)).map(str::to_owned)
    }
}

impl<T> Form<T> {
    /// The user pressed "Show" or "Hide": shows the page again and does nothing else.
    pub fn only_toggles(&self) -> bool {
        self.fields.checked("show")
    }
}

impl<T: FormInput> FromRequest for Form<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request))
    }
}

fn parse<T: FormInput>(request: &HttpRequest) -> Result<Form<T>, Error> {
    let posted = PostedForm::of(request)?;
    if T::TOKEN_WITHOUT_SESSION || RequestState::of(request).has_session() {
        match posted.check_token(request) {
            Err(TokenProblem::LoggedInSince) if T::GOES_ON_IF_LOGGED_IN => {
                return Err(Error::LoggedInSince { next: posted.next(request) });
            }
            checked => checked?,
        }
    }
    match &posted.carried_back_to {
        // Handlers never see such a form, so none can execute it.
        Some(back) => Err(Error::ShowAgain { back: return_to::safe(back).map(str::to_owned) }),
        None => posted.read(),
    }
}
