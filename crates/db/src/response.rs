//! The response of an actix handler that passes a fault on: what the visitor can do, and nothing about the database.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use super::Fault;

/// The `Retry-After` in seconds while the database does not answer.
const TRY_AGAIN: u64 = 2;

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) | Self::LostConnection(_) | Self::Busy { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Bug(_) => return response.body("something went wrong"),
            Self::Busy { retry_after } => response.insert_header((RETRY_AFTER, *retry_after)),
            Self::Unavailable(_) | Self::LostConnection(_) => {
                response.insert_header((RETRY_AFTER, TRY_AGAIN))
            }
        };
        response.body("try again in a moment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody as _;

    #[test]
    fn an_answer_says_what_to_do_and_nothing_about_the_database() {
        for (fault, status, retry_after) in [
            (Fault::Unavailable("cannot reach db.internal".into()), 503, Some("2")),
            (Fault::LostConnection("cannot reach db.internal".into()), 503, Some("2")),
            (Fault::Busy { retry_after: 7 }, 503, Some("7")),
            (Fault::bug("no column internal"), 500, None),
        ] {
            let answer = fault.error_response();
            let wait = answer.headers().get(RETRY_AFTER).map(|wait| wait.to_str().unwrap());
            assert_eq!((answer.status().as_u16(), wait), (status, retry_after), "{fault}");
            let body = answer.into_body().try_into_bytes().ok().unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("internal"), "{body:?}");
        }
    }
}
