//! The table: one row a route. A row that names another guard than its handler's first argument does not
//! compile, nor does a POST whose handler does not end in a checked [`Form`] or [`Json`].
//!
//! A `form` is a `post` that can be given back filled in: its third part shows its page again.

use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::guard::{self, Any, Get, Head, Post};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, web};

use super::pages::{
    account, admin, compare, confirm, dev, home, links, log_in, log_out, passkeys, register, reset_password,
    second_factor, setup,
};
use crate::web::http::body::Media;
use crate::web::http::error::Error;
use crate::web::http::fields;
use crate::web::http::form::{Form, Input, Posted};
use crate::web::http::json::Json;
use crate::web::session::guard::{Admin, Confirmed, Guard, Kind, Pending, SignedIn, Visitor};
use crate::web::session::receive::{self, Draft};
use crate::web::session::with_session;

/// The rows of a deployed server with every part switched on.
pub fn table() -> Vec<Route> {
    product_table().into_iter().chain(compare_table()).collect()
}

#[rustfmt::skip]
fn product_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/",                                     home::landing),
        SignedIn ::get ("/home",                                 home::index),

        Visitor  ::get ("/register",                             register::form),
        Visitor  ::form("/register",                             register::submit, register::again),
        Visitor  ::get ("/register/check-email",                 register::check_email),
        Visitor  ::get ("/verify-email",                         register::verify_form),
        Visitor  ::post("/verify-email",                         register::verify),
        Visitor  ::get ("/setup",                                setup::form),
        Visitor  ::post("/setup",                                setup::submit),

        Visitor  ::get ("/login",                                log_in::form),
        Visitor  ::form("/login",                                log_in::submit, log_in::again),
        Pending  ::get ("/login/second-factor",                  second_factor::form),
        Pending  ::post("/login/second-factor",                  second_factor::submit),
        Visitor  ::post("/login/passkey/start",                  passkeys::start),
        Visitor  ::post("/login/passkey/finish",                 passkeys::finish),
        Visitor  ::post("/logout",                               log_out::submit),
        SignedIn ::get ("/confirm",                              confirm::form),
        SignedIn ::post("/confirm",                              confirm::submit),
        Visitor  ::get ("/forgot-password",                      reset_password::ask),
        Visitor  ::form("/forgot-password",                      reset_password::send, reset_password::ask_again),
        Visitor  ::get ("/forgot-password/sent",                 reset_password::sent),
        Visitor  ::get ("/reset-password",                       reset_password::form),
        Visitor  ::post("/reset-password",                       reset_password::submit),
        Visitor  ::get ("/unlock",                               links::unlock_form),
        Visitor  ::post("/unlock",                               links::unlock),
        Visitor  ::get ("/not-me",                               links::not_me_form),
        Visitor  ::post("/not-me",                               links::not_me),
        Visitor  ::get ("/confirm-email",                        links::confirm_email_form),
        Visitor  ::post("/confirm-email",                        links::confirm_email),
        Visitor  ::get ("/undo-email",                           links::undo_email_form),
        Visitor  ::post("/undo-email",                           links::undo_email),
        Visitor  ::get ("/undo-factor",                          links::undo_factor_form),
        Visitor  ::post("/undo-factor",                          links::undo_factor),

        SignedIn ::get ("/account",                              account::profile::form),
        SignedIn ::form("/account/profile",                      account::profile::submit, account::profile::again),
        SignedIn ::get ("/account/sessions",                     account::sessions::index),
        Confirmed::post("/account/sessions/{handle}/revoke",     account::sessions::revoke),
        Confirmed::post("/account/sessions/revoke-others",       account::sessions::revoke_others),
        SignedIn ::get ("/account/activity",                     account::activity::index),
        Confirmed::get ("/account/password",                     account::password::form),
        Confirmed::post("/account/password",                     account::password::submit),
        Confirmed::get ("/account/email",                        account::email::form),
        Confirmed::form("/account/email",                        account::email::submit, account::email::again),
        SignedIn ::post("/account/email/cancel",                 account::email::cancel),
        Confirmed::post("/account/email/resend",                 account::email::resend),
        Confirmed::get ("/account/security",                     account::security::index),
        Confirmed::post("/account/totp/start",                   account::totp::start),
        Confirmed::post("/account/totp/finish",                  account::totp::finish),
        Confirmed::post("/account/totp/remove",                  account::totp::remove),
        Confirmed::post("/account/recovery-codes",               account::recovery_codes::make),
        Confirmed::post("/account/recovery-codes/download",      account::recovery_codes::download),
        Confirmed::post("/account/passkeys/start",               account::passkeys::start),
        Confirmed::post("/account/passkeys/finish",              account::passkeys::finish),
        Confirmed::post("/account/passkeys/second-step",         account::passkeys::set_step),
        Confirmed::form("/account/passkeys/{id}/rename",         account::passkeys::rename, account::passkeys::rename_again),
        Confirmed::post("/account/passkeys/{id}/remove",         account::passkeys::remove),
        Confirmed::get ("/account/export",                       account::own_data::export),
        Confirmed::get ("/account/delete",                       account::own_data::form),
        Confirmed::form("/account/delete",                       account::own_data::submit, account::own_data::again),

        Admin    ::get ("/admin",                                admin::overview::index),
        Admin    ::get ("/admin/users",                          admin::users::index),
        Admin    ::get ("/admin/users/{id}",                     admin::users::show),
        Admin    ::form("/admin/users/{id}/role",                admin::users::set_role, admin::users::set_role_again),
        Admin    ::post("/admin/users/{id}/disable",             admin::users::disable),
        Admin    ::post("/admin/users/{id}/enable",              admin::users::enable),
        Admin    ::post("/admin/users/{id}/revoke-sessions",     admin::users::revoke_sessions),
        Admin    ::post("/admin/users/{id}/send-reset",          admin::users::send_reset),
        Admin    ::get ("/admin/sessions",                       admin::sessions::index),
        Admin    ::post("/admin/sessions/{handle}/revoke",       admin::sessions::revoke),
        Admin    ::get ("/admin/audit",                          admin::audit::index),
        Admin    ::get ("/admin/invitations",                    admin::invitations::index),
        Admin    ::form("/admin/invitations",                    admin::invitations::invite, admin::invitations::again),
        Admin    ::post("/admin/invitations/{id}/withdraw",      admin::invitations::withdraw),
    ]
}

/// Rows that exist unless `LATCHKEY__COMPARE` is off.
#[rustfmt::skip]
pub fn compare_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/compare",                              compare::index),
        Visitor  ::get ("/compare/session",                      compare::session),
        Visitor  ::get ("/compare/jwt",                          compare::jwt),
        Visitor  ::post("/compare/start",                        compare::begin),
        Visitor  ::post("/compare/end",                          compare::end),
        Visitor  ::post("/compare/stopwatch",                    compare::stopwatch),
        Visitor  ::post("/compare/cost",                         compare::cost),
        Visitor  ::post("/compare/{step}",                       compare::step),
    ]
}

/// Rows that exist in local mode only.
#[rustfmt::skip]
pub fn local_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/dev/mailbox",                          dev::mailbox),
        Visitor  ::get ("/dev/mailbox/{id}",                     dev::mail),
        Visitor  ::get ("/dev/parts",                            dev::parts),
    ]
}

/// Which of the optional tables are mounted.
#[derive(Clone, Copy)]
pub struct Served {
    pub local: bool,
    pub compare: bool,
}

/// One row: data for tests and documentation, and the handler behind it.
pub struct Route {
    pub guard: Kind,
    pub method: Method,
    pub path: &'static str,
    /// Asked by a script, which wants everything told as JSON.
    pub json: bool,
    /// The fields of its form that come back when it does.
    pub texts: Vec<&'static str>,
    /// Whether its form can be given back filled in.
    pub comes_back: bool,
    handler: Box<dyn Fn() -> actix_web::Route>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answers HEAD as well.
    Get,
    Post,
}

impl Method {
    fn takes(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }
}

/// How a guard makes rows.
pub trait Rows: Guard + Sized {
    fn get<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + LedBy<Self> + 'static,
    {
        let handler = move || web::route().service(with_session::before(handler.clone()));
        Route {
            guard: Self::KIND,
            method: Method::Get,
            path,
            json: false,
            texts: Vec::new(),
            comes_back: false,
            handler: Box::new(handler),
        }
    }

    fn post<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + LedBy<Self> + EndsInForm + 'static,
    {
        posted::<Self, _, _>(path, handler, None)
    }

    /// `again` shows the page of the form again.
    fn form<H, Args, D, DraftArgs>(path: &'static str, handler: H, again: D) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + LedBy<Self> + EndsInForm + 'static,
        D: Handler<DraftArgs>,
        D::Output: Responder + 'static,
        DraftArgs: FromRequest + LedBy<Self> + EndsInDraft + 'static,
    {
        posted::<Self, _, _>(path, handler, Some(receive::redraw(again)))
    }
}

fn posted<G, H, Args>(path: &'static str, handler: H, redraw: Option<receive::Redraw>) -> Route
where
    G: Guard,
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + EndsInForm + 'static,
{
    let comes_back = redraw.is_some();
    let handler = move || web::route().service(receive::receive::<G, _, _>(handler.clone(), redraw.clone()));
    Route {
        guard: G::KIND,
        method: Method::Post,
        path,
        json: Args::MEDIA == Media::Json,
        texts: Args::texts(),
        comes_back,
        handler: Box::new(handler),
    }
}

impl<G: Guard> Rows for G {}

/// Arguments whose first is the guard `G`.
pub trait LedBy<G> {}

/// Arguments whose last is a form, or its twin in JSON, and so its token checked.
pub trait EndsInForm {
    const MEDIA: Media;

    /// The fields that come back.
    fn texts() -> Vec<&'static str> {
        Vec::new()
    }

    /// What was typed into them.
    fn typed(_: &Posted) -> Result<Vec<(String, String)>, Error> {
        Ok(Vec::new())
    }
}

/// Arguments whose last is a form that was given back.
pub trait EndsInDraft {}

impl<G> LedBy<G> for (G,) {}
impl<G, A> LedBy<G> for (G, A) {}
impl<G, A, B> LedBy<G> for (G, A, B) {}
impl<G, A, B, C> LedBy<G> for (G, A, B, C) {}

macro_rules! ends_in_form {
    ($($before:ident),+) => {
        impl<$($before,)+ T: Input> EndsInForm for ($($before,)+ Form<T>) {
            const MEDIA: Media = Media::Form;

            fn texts() -> Vec<&'static str> {
                fields::texts::<T>()
            }

            fn typed(posted: &Posted) -> Result<Vec<(String, String)>, Error> {
                posted.texts::<T>()
            }
        }

        impl<$($before,)+> EndsInDraft for ($($before,)+ Draft) {}
    };
}

ends_in_form!(G);
ends_in_form!(G, A);
ends_in_form!(G, A, B);

impl<G, A, T> EndsInForm for (G, A, Json<T>) {
    const MEDIA: Media = Media::Json;
}

/// Whether the row that answers this is one for scripts: the first whose path matches, as the router has it.
pub fn is_for_scripts(method: &actix_web::http::Method, path: &str) -> bool {
    static POSTS: LazyLock<Vec<(ResourceDef, bool)>> = LazyLock::new(|| {
        let rows = paths(Served { local: true, compare: true }, Method::Post)
            .filter_map(|(path, row, _)| Some((path, row?.json)));
        rows.map(|(path, json)| (ResourceDef::new(path), json)).collect()
    });
    *method == actix_web::http::Method::POST
        && POSTS.iter().find(|(pattern, _)| pattern.is_match(path)).is_some_and(|(_, json)| *json)
}

/// For reading: whoever may GET may ask for the headers alone.
pub fn is_reading() -> impl guard::Guard {
    Any(Get()).or(Head())
}

/// A resource outside the table that can only be read.
pub fn reading<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(web::route().guard(is_reading()).to(handler))
        .default_service(web::to(|| wrong_method("GET, HEAD".to_owned())))
}

/// Mounts the rows for reading, each by itself: nothing but who is visiting stands between them and the door.
pub fn mount_pages(config: &mut web::ServiceConfig, served: Served) {
    for (path, row, allowed) in paths(served, Method::Get) {
        let wrong = web::route().service(with_session::before(move || wrong_method(allowed.clone())));
        let route = row.map_or(wrong, |row| (row.handler)());
        config.service(web::resource(path).guard(is_reading()).route(route));
    }
}

/// Mounts the rows for sending, in the scope that may change a session.
pub fn mount_forms(config: &mut web::ServiceConfig, served: Served) {
    for (path, row, allowed) in paths(served, Method::Post) {
        let resource = web::resource(path);
        let resource = match row {
            Some(row) => resource.route((row.handler)().guard(Post())),
            None => resource,
        };
        config.service(resource.default_service(web::to(move || wrong_method(allowed.clone()))));
    }
}

/// Every path with its row for `method`, if it has one, and the methods that it takes: the wrong one is 405 and is
/// told the right ones.
fn paths(served: Served, method: Method) -> impl Iterator<Item = (&'static str, Option<Route>, String)> {
    let mut rows = product_table();
    if served.compare {
        rows.extend(compare_table());
    }
    if served.local {
        rows.extend(local_table());
    }
    let mut paths: Vec<(&'static str, Option<Route>, String)> = Vec::new();
    for row in rows {
        if paths.last().is_none_or(|(path, ..)| *path != row.path) {
            paths.push((row.path, None, String::new()));
        }
        if let Some((_, wanted, allowed)) = paths.last_mut() {
            let separator = if allowed.is_empty() { "" } else { ", " };
            *allowed += separator;
            *allowed += row.method.takes();
            if row.method == method {
                *wanted = Some(row);
            }
        }
    }
    // Paths are tried in this order, and one with an id in it costs a regular expression each time.
    paths.sort_by_key(|(path, ..)| path.contains('{'));
    paths.into_iter()
}

async fn wrong_method(allowed: String) -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed().finish();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::Method as Verb;

    #[test]
    fn errors_are_json_where_the_row_that_answers_is_one_for_scripts() {
        let scripts = table().iter().filter(|row| row.json).count();
        assert!(scripts >= 4, "{scripts}");
        for row in table() {
            let path = row.path.replace("{id}", "0b9").replace("{handle}", "0b9").replace("{step}", "ask");
            let posts = row.method == Method::Post;
            // Two rows may share a path: only the one that is posted to counts.
            if posts {
                assert_eq!(is_for_scripts(&Verb::POST, &path), row.json, "{path}");
            }
            assert!(!is_for_scripts(&Verb::GET, &path), "{path}");
            assert!(!is_for_scripts(&Verb::POST, &format!("{path}x/")), "{path}");
        }
        assert!(!is_for_scripts(&Verb::POST, "/login/passkey/start/more"));
    }
}
