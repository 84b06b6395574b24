//! The answer of an actix handler that passes a fault on: what the visitor can do, and nothing about the database.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use super::Fault;

/// The `Retry-After` of a database that does not answer, in seconds.
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
