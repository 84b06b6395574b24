//! One error with the faces a browser needs: a redirect for those who may yet get in, a page for the rest.

use std::fmt;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::db::Fault;
use crate::web::http::csrf::NotOwn;
use crate::web::http::urlencoded::Malformed;

#[derive(Debug)]
pub enum Error {
    /// Nobody is logged in: log in, then come back.
    LogIn {
        next: Option<String>,
    },
    /// Logged in too long ago for this: confirm, then come back.
    Confirm {
        next: Option<String>,
    },
    Forbidden,
    NotFound,
    /// The form's token is missing or belongs to somebody else.
    ForeignForm,
    /// The form came without any cookie of ours.
    NoCookies,
    /// The form was opened before a user logged in, in another tab of this browser. It leads on to its
    /// destination.
    LoggedInSince {
        next: Option<String>,
    },
    /// A form that was carried through the page that confirms: to be shown again, never to be carried out. It stands
    /// at `back`.
    Draft {
        back: Option<String>,
    },
    /// Another site sent this.
    CrossSite,
    Malformed(Malformed),
    UnknownField,
    NotAForm,
    TooLarge,
    TooSlow,
    Fault(Fault),
}

/// What `next` may not carry bare inside a query.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'&').add(b'+').add(b'<').add(b'>').add(b'%');

impl Error {
    fn location(&self) -> Option<String> {
        let (path, next) = match self {
            Self::LoggedInSince { next } | Self::Draft { back: next } => {
                return Some(next.clone().unwrap_or_else(|| "/home".to_owned()));
            }
            Self::LogIn { next } => ("/login", next),
            Self::Confirm { next } => ("/confirm", next),
            _ => return None,
        };
        Some(with_next(path, next.as_deref()))
    }

    /// When to come back, in seconds, where that makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Fault(Fault::Busy { retry_after }) => Some(*retry_after),
            Self::Fault(Fault::Unavailable(_) | Fault::LostConnection(_)) => Some(5),
            _ => None,
        }
    }
}

/// `path?next=…` where there is somewhere to go.
pub fn with_next(path: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{path}?next={}", utf8_percent_encode(next, QUERY)),
        None => path.to_owned(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<NotOwn> for Error {
    fn from(why: NotOwn) -> Self {
        match why {
            NotOwn::NoCookies => Self::NoCookies,
            NotOwn::LoggedInSince | NotOwn::Foreign => Self::ForeignForm,
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::LogIn { .. } | Self::Confirm { .. } | Self::LoggedInSince { .. } | Self::Draft { .. } => {
                StatusCode::SEE_OTHER
            }
            Self::Forbidden | Self::ForeignForm | Self::NoCookies | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed(_) | Self::UnknownField => StatusCode::BAD_REQUEST,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Fault(Fault::Bug(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Only status and headers: the front turns it into a page, which needs the request.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(location) = self.location() {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.finish()
    }
}

/// Heading and text of an error page.
pub type Words = (&'static str, &'static str);

/// What to say about a status: only what is known. `method` tells whether something was to be done.
pub fn words(method: &Method, status: StatusCode, error: Option<&Error>) -> Words {
    let reads = method.is_safe();
    match (status, error) {
        (_, Some(Error::LogIn { .. })) => ("You are not logged in", "Log in, then try again."),
        (_, Some(Error::Confirm { .. })) => {
            ("Confirm it is you", "Prove once more who you are, then try again.")
        }
        (_, Some(Error::LoggedInSince { .. })) => {
            ("You are logged in already", "You have logged in since you opened this page.")
        }
        (_, Some(Error::ForeignForm)) => (
            "This form is out of date",
            "It does not belong to the session in this browser, so nothing was done. That happens when you log in or out while a page is open. Open the page again and send the form once more.",
        ),
        (_, Some(Error::NoCookies)) => (
            "Your browser sent no cookies",
            "Latchkey needs a cookie to recognize its own forms, so nothing was done. Allow cookies for this site, open the page again and send the form once more.",
        ),
        (_, Some(Error::CrossSite)) => (
            "This came from somewhere else",
            "Your browser says that another site sent this form, so nothing was done. If you sent it from one of our pages, open that page again and send it once more.",
        ),
        (_, Some(Error::Malformed(_))) => (
            "This cannot be read",
            "The request has characters that do not belong in it. Type them again, by hand if you pasted them.",
        ),
        (StatusCode::BAD_REQUEST, _) => (
            "This cannot be read",
            "The request is not one that any page of ours makes. Go back and try again.",
        ),
        (StatusCode::FORBIDDEN, _) if !reads => (
            "You are not allowed to do this",
            "Nothing was changed. An administrator can change what your account is allowed to do.",
        ),
        (StatusCode::FORBIDDEN, _) => (
            "This is not yours to open",
            "Your account is not allowed to see this page. An administrator can change that.",
        ),
        (StatusCode::NOT_FOUND, _) => {
            ("There is nothing here", "The address is mistyped, or what was here has ended.")
        }
        (StatusCode::METHOD_NOT_ALLOWED, _) => (
            "Not like this",
            "This address cannot be used in this way. Go back and use the page's own buttons.",
        ),
        (StatusCode::REQUEST_TIMEOUT, _) => (
            "This took too long",
            "Your form did not arrive in time. Check your connection and send it again.",
        ),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => (
            "This is too long",
            "The form holds more than we take. Shorten what you typed and send it again.",
        ),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            ("This cannot be read", "This address takes the form on its page and nothing else.")
        }
        (StatusCode::SERVICE_UNAVAILABLE, Some(Error::Fault(Fault::Busy { .. }))) => (
            "We are busy",
            "More passwords are being checked right now than we can check at once. Nothing was changed. Wait a few seconds, then try again.",
        ),
        (StatusCode::SERVICE_UNAVAILABLE, _) if !reads => (
            "We do not know whether this was done",
            "Our database did not answer in time. Wait a moment, then go back to the page and look before you send the form again.",
        ),
        (StatusCode::SERVICE_UNAVAILABLE, _) => (
            "We cannot look that up right now",
            "Our database does not answer. Wait a moment, then try again.",
        ),
        _ if status.is_client_error() => (
            "This did not work",
            "The request is not one that any page of ours makes. Go back and try again.",
        ),
        _ => (
            "Something broke on our side",
            "It is noted with the code below. Try again; if it happens twice, tell us the code.",
        ),
    }
}

/// For addresses that no row knows.
pub async fn not_found(_: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::NotFound)
}
