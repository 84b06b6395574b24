//! The route table: one row per route. A row that names another guard than its handler's first argument does not
//! compile. Neither does a POST whose handler does not end in a checked [`Form`](super::http::form::Form) or
//! [`Json`](super::http::json::Json).
//!
//! A `form` is a `post` whose form can be shown again with its values; the third part names the handler that does.

use actix_identity::IdentityMiddleware;
use actix_web::guard::Post;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpResponse, Responder, web};

use super::http::body::Media;
use super::http::error::Error;
use super::http::methods::is_reading;
use super::http::request_counts::CountedRoute;
use super::http::request_state::MatchedRoute;
use super::http::shared::Shared;
use super::pages::{
    account, admin, compare, confirm, dev, go, home, links, log_in, log_out, passkeys, register,
    reset_password, second_factor, setup,
};
use super::session::arguments::{EndsInDraft, EndsInForm, StartsWithGuard};
use super::session::form_session::{self, with_form_session};
use super::session::guard::{Admin, Confirmed, Guard, GuardKind, Pending, SignedIn, Visitor};
use super::session::receive::{self, FormPages, Redraw};
use super::session::with_session::with_session;
use crate::notices::LinkPurpose;

pub use super::http::request_state::Face;

/// The rows of a deployed server with every optional part enabled.
pub fn table() -> Vec<Route> {
    let mut rows = product_table();
    rows.extend(link_table());
    rows.extend(compare_table());
    rows
}

#[rustfmt::skip]
fn product_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/",                                     home::landing),
        SignedIn ::get ("/home",                                 home::index),
        Visitor  ::get ("/go/{slug}",                            go::to_app),

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
        Pending  ::post("/login/second-factor/passkey/start",    second_factor::start_passkey),
        Pending  ::post("/login/second-factor/passkey/finish",   second_factor::finish_passkey),
        Visitor  ::post("/login/passkey/start",                  passkeys::start),
        Visitor  ::post("/login/passkey/finish",                 passkeys::finish),
        Visitor  ::post("/logout",                               log_out::submit),
        SignedIn ::get ("/confirm",                              confirm::form),
        SignedIn ::post("/confirm",                              confirm::submit),
        SignedIn ::post("/confirm/passkey/start",                confirm::start_passkey),
        SignedIn ::post("/confirm/passkey/finish",               confirm::finish_passkey),
        Visitor  ::get ("/forgot-password",                      reset_password::ask),
        Visitor  ::form("/forgot-password",                      reset_password::send, reset_password::ask_again),
        Visitor  ::get ("/forgot-password/sent",                 reset_password::sent),
        Visitor  ::get ("/reset-password",                       reset_password::form),
        Visitor  ::post("/reset-password",                       reset_password::submit),

        SignedIn ::get ("/account",                              account::profile::form),
        SignedIn ::form("/account/profile",                      account::profile::submit, account::profile::again),
        SignedIn ::get ("/account/sessions",                     account::sessions::index),
        Confirmed::post("/account/sessions/{handle}/revoke",     account::sessions::revoke),
        Confirmed::post("/account/sessions/{handle}/leave",      account::sessions::leave),
        Confirmed::post("/account/sessions/revoke-others",       account::sessions::revoke_others),
        Confirmed::get ("/account/tokens",                       account::tokens::index),
        Confirmed::form("/account/tokens",                       account::tokens::create, account::tokens::again),
        Confirmed::post("/account/tokens/{id}/revoke",           account::tokens::revoke),
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
        Admin    ::post("/admin/users/{id}/groups",              admin::groups::members::join_user),
        Admin    ::get ("/admin/groups",                         admin::groups::list::index),
        Admin    ::form("/admin/groups",                         admin::groups::list::create, admin::groups::list::again),
        Admin    ::get ("/admin/groups/{name}",                  admin::groups::show::show),
        Admin    ::form("/admin/groups/{name}/note",             admin::groups::show::set_note, admin::groups::show::note_again),
        Admin    ::form("/admin/groups/{name}/join",             admin::groups::members::join, admin::groups::members::join_again),
        Admin    ::post("/admin/groups/{name}/leave",            admin::groups::members::leave),
        Admin    ::post("/admin/groups/{name}/remove",           admin::groups::show::remove),
        Admin    ::get ("/admin/apps",                           admin::apps::list::index),
        Admin    ::form("/admin/apps",                           admin::apps::list::add, admin::apps::list::again),
        Admin    ::get ("/admin/apps/{slug}",                    admin::apps::show::show),
        Admin    ::form("/admin/apps/{slug}/settings",           admin::apps::settings::submit, admin::apps::settings::again),
        Admin    ::form("/admin/apps/{slug}/rules",              admin::apps::rules::add, admin::apps::rules::add_again),
        Admin    ::post("/admin/apps/{slug}/rules/{number}",     admin::apps::rules::change_rule),
        Admin    ::post("/admin/apps/{slug}/presets",            admin::apps::rules::add_preset),
        Admin    ::post("/admin/apps/{slug}/enable",             admin::apps::show::enable),
        Admin    ::post("/admin/apps/{slug}/disable",            admin::apps::show::disable),
        Admin    ::post("/admin/apps/{slug}/remove",             admin::apps::show::remove),
        Admin    ::get ("/admin/apps/{slug}/try",                admin::apps::tryout::show),
        Admin    ::post("/admin/tokens/{id}/revoke",             admin::tokens::revoke),
        Admin    ::get ("/admin/sessions",                       admin::sessions::index),
        Admin    ::post("/admin/sessions/{handle}/revoke",       admin::sessions::revoke),
        Admin    ::get ("/admin/audit",                          admin::audit::index),
        Admin    ::get ("/admin/invitations",                    admin::invitations::index),
        Admin    ::form("/admin/invitations",                    admin::invitations::invite, admin::invitations::again),
        Admin    ::post("/admin/invitations/{id}/withdraw",      admin::invitations::withdraw),
    ]
}

/// The pages of mailed links: a form and its submission for each purpose.
fn link_table() -> Vec<Route> {
    let rows = |purpose: &LinkPurpose| {
        [Visitor::get(purpose.path(), links::form), Visitor::post(purpose.path(), links::submit)]
    };
    LinkPurpose::ALL.iter().flat_map(rows).collect()
}

/// Rows that exist unless `LATCHKEY__COMPARE` is off.
#[rustfmt::skip]
pub fn compare_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/compare",                              compare::index),
        Visitor  ::get ("/compare/session",                      compare::session),
        Visitor  ::get ("/compare/jwt",                          compare::jwt),
        Visitor  ::get ("/compare/live",                         compare::live::index),
        Visitor  ::get ("/compare/live/session",                 compare::live::session),
        Visitor  ::get ("/compare/live/jwt",                     compare::live::jwt),
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

/// One row: data for tests and documentation, and the handler behind it.
pub struct Route {
    pub guard: GuardKind,
    pub method: Method,
    pub path: &'static str,
    pub face: Face,
    /// The fields of its form whose values are shown again.
    pub texts: Vec<&'static str>,
    /// Whether its form can be shown again with its values.
    pub is_shown_again: bool,
    /// Creates the handler, once per worker.
    handler: Box<dyn Fn(&Shared) -> actix_web::Route>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answers HEAD as well.
    Get,
    Post,
}

/// Makes the rows of a guard.
pub trait RowsOfGuard: Guard + Sized {
    fn get<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + 'static,
    {
        let route = MatchedRoute { path, face: Face::Page };
        let handler = move |_: &Shared| web::route().service(with_session(Some(route), handler.clone()));
        Route {
            guard: Self::KIND,
            method: Method::Get,
            path,
            face: Face::Page,
            texts: Vec::new(),
            is_shown_again: false,
            handler: Box::new(handler),
        }
    }

    fn post<H, Args>(path: &'static str, handler: H) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + EndsInForm + 'static,
    {
        posted::<Self, _, _>(path, handler, None)
    }

    /// `again` shows the page of the form again.
    fn form<H, Args, D, DraftArgs>(path: &'static str, handler: H, again: D) -> Route
    where
        H: Handler<Args>,
        H::Output: Responder + 'static,
        Args: FromRequest + StartsWithGuard<Self> + EndsInForm + 'static,
        D: Handler<DraftArgs>,
        D::Output: Responder + 'static,
        DraftArgs: FromRequest + StartsWithGuard<Self> + EndsInDraft + 'static,
    {
        posted::<Self, _, _>(path, handler, Some(receive::redraw(again)))
    }
}

impl<G: Guard> RowsOfGuard for G {}

fn posted<G, H, Args>(path: &'static str, handler: H, redraw: Option<Redraw>) -> Route
where
    G: Guard,
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + EndsInForm + 'static,
{
    let face = if Args::MEDIA == Media::Json { Face::Json } else { Face::Page };
    let route = MatchedRoute { path, face };
    let is_shown_again = redraw.is_some();
    let pages = FormPages {
        redraw,
        confirm: |request, posted, carried| Box::pin(confirm::step(request, posted, carried)),
    };
    // In reverse order: the last `wrap` is the outermost.
    let handler = move |shared: &Shared| {
        web::route()
            .service(receive::receive::<G, _, _>(handler.clone(), pages.clone()))
            .wrap(IdentityMiddleware::default())
            .wrap(form_session::middleware(shared))
            .wrap(from_fn(move |request, next| with_form_session(request, next, route)))
    };
    Route {
        guard: G::KIND,
        method: Method::Post,
        path,
        face,
        texts: Args::texts(),
        is_shown_again,
        handler: Box::new(handler),
    }
}

/// The rows, for the counters.
pub fn counted() -> impl Iterator<Item = CountedRoute> {
    table().into_iter().chain(local_table()).map(|row| CountedRoute {
        path: row.path,
        is_post: row.method == Method::Post,
        guard: row.guard.as_str(),
    })
}

/// The one or two rows of a path.
struct PathRoutes {
    path: &'static str,
    get: Option<Route>,
    post: Option<Route>,
}

impl PathRoutes {
    /// The value of `Allow`.
    fn allow(&self) -> &'static str {
        match (&self.get, &self.post) {
            (Some(_), Some(_)) => "GET, HEAD, POST",
            (None, Some(_)) => "POST",
            _ => "GET, HEAD",
        }
    }
}

/// Mounts the rows, one resource per path. A method that a path does not support is answered with 405 and the supported
/// methods.
pub fn mount(config: &mut web::ServiceConfig, shared: &Shared) {
    for rows in by_path(shared) {
        let (path, allow) = (rows.path, rows.allow());
        let mut resource = web::resource(path);
        if let Some(row) = rows.get {
            resource = resource.route((row.handler)(shared).guard(is_reading()));
        }
        if let Some(row) = rows.post {
            resource = resource.route((row.handler)(shared).guard(Post()));
        }
        let route = MatchedRoute { path, face: Face::Page };
        let wrong_method = move || async move { Err::<HttpResponse, _>(Error::WrongMethod { allow }) };
        config.service(resource.default_service(with_session(Some(route), wrong_method)));
    }
}

fn by_path(shared: &Shared) -> Vec<PathRoutes> {
    let mut rows = product_table();
    rows.extend(link_table());
    if shared.lab.is_some() {
        rows.extend(compare_table());
    }
    if shared.local {
        rows.extend(local_table());
    }
    let mut paths: Vec<PathRoutes> = Vec::new();
    for row in rows {
        let at = paths.iter().position(|rows| rows.path == row.path).unwrap_or_else(|| {
            paths.push(PathRoutes { path: row.path, get: None, post: None });
            paths.len() - 1
        });
        match row.method {
            Method::Get => paths[at].get = Some(row),
            Method::Post => paths[at].post = Some(row),
        }
    }
    // Paths are matched in this order, and each path with a parameter costs a regular expression.
    paths.sort_by_key(|rows| rows.path.contains('{'));
    paths
}
