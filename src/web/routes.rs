//! The table: one row a route. A row that names another guard than its handler's first argument does not
//! compile, nor does a POST whose handler does not end in a checked [`Form`].

use actix_web::guard::{Any, Get, Head};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, web};

use super::form::Form;
use super::guard::{Admin, Confirmed, Guard, Kind, SignedIn, Visitor};
use super::pages::{account, admin, confirm, dev, home, log_in, log_out, register, reset_password, setup};

/// The rows.
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/",                                     home::landing),
        SignedIn ::get ("/home",                                 home::index),

        Visitor  ::get ("/register",                             register::form),
        Visitor  ::post("/register",                             register::submit),
        Visitor  ::get ("/register/check-email",                 register::check_email),
        Visitor  ::get ("/verify-email",                         register::verify_form),
        Visitor  ::post("/verify-email",                         register::verify),
        Visitor  ::get ("/setup",                                setup::form),
        Visitor  ::post("/setup",                                setup::submit),

        Visitor  ::get ("/login",                                log_in::form),
        Visitor  ::post("/login",                                log_in::submit),
        Visitor  ::post("/logout",                               log_out::submit),
        SignedIn ::get ("/confirm",                              confirm::form),
        SignedIn ::post("/confirm",                              confirm::submit),
        Visitor  ::get ("/forgot-password",                      reset_password::ask),
        Visitor  ::post("/forgot-password",                      reset_password::send),
        Visitor  ::get ("/forgot-password/sent",                 reset_password::sent),
        Visitor  ::get ("/reset-password",                       reset_password::form),
        Visitor  ::post("/reset-password",                       reset_password::submit),

        SignedIn ::get ("/account",                              account::profile::form),
        SignedIn ::post("/account/profile",                      account::profile::submit),
        SignedIn ::get ("/account/sessions",                     account::sessions::index),
        Confirmed::post("/account/sessions/{handle}/revoke",     account::sessions::revoke),
        Confirmed::post("/account/sessions/revoke-others",       account::sessions::revoke_others),
        SignedIn ::get ("/account/activity",                     account::activity::index),
        Confirmed::get ("/account/password",                     account::password::form),
        Confirmed::post("/account/password",                     account::password::submit),

        Admin    ::get ("/admin",                                admin::overview::index),
        Admin    ::get ("/admin/users",                          admin::users::index),
        Admin    ::get ("/admin/users/{id}",                     admin::users::show),
        Admin    ::post("/admin/users/{id}/role",                admin::users::set_role),
        Admin    ::post("/admin/users/{id}/disable",             admin::users::disable),
        Admin    ::post("/admin/users/{id}/enable",              admin::users::enable),
        Admin    ::post("/admin/users/{id}/revoke-sessions",     admin::users::revoke_sessions),
        Admin    ::post("/admin/users/{id}/send-reset",          admin::users::send_reset),
        Admin    ::get ("/admin/sessions",                       admin::sessions::index),
        Admin    ::post("/admin/sessions/{handle}/revoke",       admin::sessions::revoke),
        Admin    ::get ("/admin/audit",                          admin::audit::index),
        Admin    ::get ("/admin/invitations",                    admin::invitations::index),
        Admin    ::post("/admin/invitations",                    admin::invitations::invite),
        Admin    ::post("/admin/invitations/{id}/withdraw",      admin::invitations::withdraw),
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

/// One row: data for tests and documentation, and the handler behind it.
pub struct Route {
    pub guard: Kind,
    pub method: Method,
    pub path: &'static str,
    handler: Box<dyn Fn() -> actix_web::Route>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answers HEAD as well.
    Get,
    Post,
}

/// How a guard makes rows.
pub trait Rows: Guard + Sized {
    fn get<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + LedBy<Self> + 'static,
    {
        let handler = move || get_or_head().to(handler.clone());
        Route { guard: Self::KIND, method: Method::Get, path, handler: Box::new(handler) }
    }

    fn post<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + LedBy<Self> + EndsInForm + 'static,
    {
        let handler = move || web::post().to(handler.clone());
        Route { guard: Self::KIND, method: Method::Post, path, handler: Box::new(handler) }
    }
}

impl<G: Guard> Rows for G {}

/// Arguments whose first is the guard `G`.
pub trait LedBy<G> {}

/// Arguments whose last is a form, and so its token checked.
pub trait EndsInForm {}

impl<G> LedBy<G> for (G,) {}
impl<G, A> LedBy<G> for (G, A) {}
impl<G, A, B> LedBy<G> for (G, A, B) {}
impl<G, A, B, C> LedBy<G> for (G, A, B, C) {}

impl<G, T> EndsInForm for (G, Form<T>) {}
impl<G, A, T> EndsInForm for (G, A, Form<T>) {}
impl<G, A, B, T> EndsInForm for (G, A, B, Form<T>) {}

/// A route for reading: whoever may GET may ask for the headers alone.
fn get_or_head() -> actix_web::Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// A resource outside the table that can only be read.
pub fn reading<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(get_or_head().to(handler))
        .default_service(web::to(|| wrong_method("GET, HEAD".to_owned())))
}

/// Mounts the rows, those of one path together, so that the wrong method is 405 and names the right ones.
pub fn mount(config: &mut web::ServiceConfig, local: bool) {
    let mut rows = table();
    if local {
        rows.extend(local_table());
    }
    let mut paths: Vec<&'static str> = rows.iter().map(|row| row.path).collect();
    paths.dedup();
    for path in paths {
        let mut resource = web::resource(path);
        let mut allowed = Vec::new();
        for row in rows.iter().filter(|row| row.path == path) {
            resource = resource.route((row.handler)());
            allowed.push(match row.method {
                Method::Get => "GET, HEAD",
                Method::Post => "POST",
            });
        }
        let allowed = allowed.join(", ");
        config.service(resource.default_service(web::to(move || wrong_method(allowed.clone()))));
    }
}

async fn wrong_method(allowed: String) -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed().finish();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
