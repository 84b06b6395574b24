//! Why a request is not answered as asked: a redirect if the visitor can still be admitted, otherwise an error page or
//! a problem document. The texts are in `pages::error_page`.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use thiserror::Error as ThisError;

use super::csrf::TokenProblem;
use super::problem::Problem;
use super::refusal::RefusalReason;
use super::urlencoded::Malformed;
use crate::db::Fault;

#[derive(Debug, ThisError)]
pub enum Error {
    /// Log in, then return.
    #[error("no session")]
    LogIn { next: Option<String> },
    /// The last confirmation is too old for this page: confirm, then return.
    #[error("the last confirmation is too old")]
    Confirm { next: Option<String> },
    #[error("the role does not allow this")]
    Forbidden,
    #[error("nothing is at this path")]
    NotFound,
    /// The path accepts only the methods in `allow`.
    #[error("this path takes {allow}")]
    WrongMethod { allow: String },
    /// The form's token is missing or belongs to another session or browser.
    #[error("the form's token is missing or belongs to another session or browser")]
    ForeignForm,
    /// The form came without any of our cookies.
    #[error("the form came without any cookie")]
    NoCookies,
    /// The form was opened before a user logged in, in another tab of this browser. The answer redirects to the form's
    /// destination.
    #[error("a user has logged in since the form was opened")]
    LoggedInSince { next: Option<String> },
    /// A form that was carried through the confirmation page. It is shown again at `back` and never executed.
    #[error("a carried form is shown again, not executed")]
    ShowAgain { back: Option<String> },
    #[error("another site sent this")]
    CrossSite,
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    #[error("the fields are not those of this form: {0}")]
    UnknownField(#[source] Box<dyn std::error::Error>),
    #[error("the body is of another type than this path takes")]
    WrongMediaType,
    #[error("the body is too large")]
    TooLarge,
    #[error("the body took too long to arrive")]
    TooSlow,
    /// A refusal of the API.
    #[error("{}", .0.code)]
    Problem(Box<Problem>),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The characters to encode in `next` inside a query.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'&').add(b'+').add(b'<').add(b'>').add(b'%');

impl Error {
    fn location(&self) -> Option<String> {
        let (path, next) = match self {
            Self::LoggedInSince { next } | Self::ShowAgain { back: next } => {
                return Some(next.clone().unwrap_or_else(|| "/home".to_owned()));
            }
            Self::LogIn { next } => ("/login", next),
            Self::Confirm { next } => ("/confirm", next),
            _ => return None,
        };
        Some(with_next(path, next.as_deref()))
    }

    /// `None` if no user is refused: the request was malformed, or the answer is a redirect.
    pub fn refusal(&self) -> Option<RefusalReason> {
        match self {
            Self::LogIn { .. } => Some(RefusalReason::LogIn),
            Self::Confirm { .. } => Some(RefusalReason::Confirm),
            Self::Forbidden => Some(RefusalReason::Forbidden),
            Self::ForeignForm | Self::NoCookies => Some(RefusalReason::ForeignForm),
            Self::CrossSite => Some(RefusalReason::CrossSite),
            Self::Fault(_) => Some(RefusalReason::Fault),
            Self::Problem(problem) => match problem.status {
                StatusCode::UNAUTHORIZED => Some(RefusalReason::LogIn),
                StatusCode::FORBIDDEN => Some(RefusalReason::Forbidden),
                _ => None,
            },
            _ => None,
        }
    }

    /// How many seconds to wait before the same request can succeed; `None` if waiting does not help.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Fault(Fault::Busy { retry_after }) => Some(*retry_after),
            Self::Fault(Fault::Unavailable(_) | Fault::LostConnection(_)) => Some(5),
            Self::Problem(problem) => problem.retry_after,
            _ => None,
        }
    }
}

/// `path?next=…`, or `path` alone.
pub fn with_next(path: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{path}?next={}", utf8_percent_encode(next, QUERY)),
        None => path.to_owned(),
    }
}

impl From<TokenProblem> for Error {
    fn from(problem: TokenProblem) -> Self {
        match problem {
            TokenProblem::NoCookies => Self::NoCookies,
            TokenProblem::LoggedInSince | TokenProblem::Foreign => Self::ForeignForm,
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::LogIn { .. }
            | Self::Confirm { .. }
            | Self::LoggedInSince { .. }
            | Self::ShowAgain { .. } => StatusCode::SEE_OTHER,
            Self::Forbidden | Self::ForeignForm | Self::NoCookies | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) | Self::UnknownField(_) => StatusCode::BAD_REQUEST,
            Self::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Problem(problem) => problem.status,
            Self::Fault(Fault::Bug(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Only status and headers. The request layer turns it into a page or a problem document, because that needs the
    /// request.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(location) = self.location() {
            response.insert_header((header::LOCATION, location));
        }
        if let Self::WrongMethod { allow } = self {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Self::Problem(problem) = self
            && let Some(challenge) = &problem.challenge
        {
            response.insert_header((header::WWW_AUTHENTICATE, &**challenge));
        }
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.finish()
    }
}

/// For paths that match no row.
pub async fn not_found(_: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::NotFound)
}
