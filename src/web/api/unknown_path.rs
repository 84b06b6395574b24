//! Answers paths below `/api/` that have no row, with a problem document like every other error there.

use actix_web::web;

use crate::web::http::error::not_found;
use crate::web::http::methods::outside_table;
use crate::web::http::request_state::{Face, MatchedRoute};

/// Comes after all rows.
pub fn mount(config: &mut web::ServiceConfig) {
    let route = MatchedRoute { path: "/api/", face: Face::Api };
    config.service(web::resource("/api/{path:.*}").default_service(outside_table(route, not_found)));
}
