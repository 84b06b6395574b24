//! Why a request has no response from its upstream.

use actix_web::http::StatusCode;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ProxyError {
    #[error("{0}")]
    BadRequest(&'static str),
    #[error("the client stopped sending the body")]
    ClientTooSlow,
    #[error("the client disconnected while it sent the body")]
    ClientGone,
    #[error("the body is longer than the app accepts")]
    BodyTooLarge,
    #[error("the app has no upstream")]
    NoUpstream,
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    #[error("the upstream did not accept a connection in time")]
    ConnectTimeout,
    #[error("the upstream sent an invalid response: {0}")]
    BadResponse(String),
    #[error("the upstream did not answer in time")]
    HeadTimeout,
    #[error("the app has reached its limit of concurrent requests")]
    TooManyInFlight,
    #[error("the app has reached its limit of websockets")]
    TooManyTunnels,
    #[error("this instance has reached its limit of connections to upstreams")]
    TooManyConnections,
}

impl ProxyError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::ClientTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoUpstream | Self::Unreachable(_) | Self::ConnectTimeout | Self::BadResponse(_) => {
                StatusCode::BAD_GATEWAY
            }
            Self::HeadTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::TooManyInFlight | Self::TooManyTunnels | Self::TooManyConnections => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}
