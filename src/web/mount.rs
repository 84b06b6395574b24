//! Mounts the route table, one resource per path.

use actix_web::guard::{Delete, Patch, Post, Put};
use actix_web::{HttpResponse, web};

use super::api;
use super::http::error::Error;
use super::http::methods::{READ_ONLY, is_reading, outside_table};
use super::http::request_state::{Face, MatchedRoute};
use super::http::shared::Shared;
use super::route::{Method, Route};
use super::routes;
use super::session::with_session::with_session;

/// A method that a path does not support is answered with 405 and the supported methods.
pub fn mount(config: &mut web::ServiceConfig, shared: &Shared) {
    for (path, rows) in by_path(shared) {
        let (allow, face) = (allow(&rows), face(&rows));
        let mut resource = web::resource(path);
        for row in rows {
            let handler = (row.handler)(shared);
            resource = resource.route(match row.method {
                Method::Get => handler.guard(is_reading()),
                Method::Post => handler.guard(Post()),
                Method::Put => handler.guard(Put()),
                Method::Patch => handler.guard(Patch()),
                Method::Delete => handler.guard(Delete()),
            });
        }
        let wrong_method = move || {
            let allow = allow.clone();
            async move { Err::<HttpResponse, _>(Error::WrongMethod { allow }) }
        };
        let route = MatchedRoute { path, face };
        config.service(match face {
            // No cookie is read, so no other site can misuse a session.
            Face::Api => resource.default_service(outside_table(route, wrong_method)),
            Face::Page | Face::Json => {
                let route = MatchedRoute { path, face: Face::Page };
                resource.default_service(with_session(Some(route), wrong_method))
            }
        });
    }
    api::unknown_path::mount(config);
}

/// The value of `Allow`.
fn allow(rows: &[Route]) -> String {
    let name = |method: Method| if method == Method::Get { READ_ONLY } else { method.as_str() };
    rows.iter().map(|row| name(row.method)).collect::<Vec<_>>().join(", ")
}

/// All rows of a path of the API have its face.
fn face(rows: &[Route]) -> Face {
    rows.first().map(|row| row.face).unwrap_or_default()
}

/// The rows of each path, in the order of [`Method::ALL`].
fn by_path(shared: &Shared) -> Vec<(&'static str, Vec<Route>)> {
    let mut paths: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for row in routes::enabled(shared) {
        match paths.iter_mut().find(|(path, _)| *path == row.path) {
            Some((_, rows)) => rows.push(row),
            None => paths.push((row.path, vec![row])),
        }
    }
    for (_, rows) in &mut paths {
        rows.sort_by_key(|row| row.method);
    }
    // Paths are matched in this order, and each path with a parameter costs a regular expression.
    paths.sort_by_key(|(path, _)| path.contains('{'));
    paths
}
