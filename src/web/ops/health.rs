//! Liveness and readiness for the platform. No session, no page, no secret.

use actix_web::web::Data;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::web::http::flash;
use crate::web::http::methods::read_only;
use crate::web::http::shared::Shared;

pub fn mount(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/healthz", alive))
        .service(read_only("/readyz", ready))
        .service(read_only("/robots.txt", robots))
        .service(read_only("/.well-known/change-password", change_password))
        .service(read_only("/.well-known/passkey-endpoints", passkey_endpoints));
}

/// The process runs. Says nothing about the database.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

/// A query through the pool succeeded, so requests can be served.
async fn ready(shared: Data<Shared>) -> HttpResponse {
    match shared.accounts.db().is_ready().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(fault) => {
            tracing::warn!(%fault, "not ready");
            HttpResponse::ServiceUnavailable().json(json!({ "status": "not ready" }))
        }
    }
}

async fn robots() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("User-agent: *\nDisallow: /\n")
}

/// Where password managers send users (W3C "A Well-Known URL for Changing Passwords").
async fn change_password() -> HttpResponse {
    flash::see_other("/account/password")
}

/// Where password managers find the pages that create and manage passkeys (W3C "A Well-Known URL for Relying Party
/// Passkey Endpoints").
async fn passkey_endpoints(shared: Data<Shared>) -> HttpResponse {
    let page = shared.public.link("/account/security");
    HttpResponse::Ok().json(json!({ "enroll": page, "manage": page }))
}
