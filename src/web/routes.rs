//! The route table: one row per route. A row that names another guard than its handler's first argument does not
//! compile. Neither does a POST whose handler does not end in a checked [`Form`](super::http::form::Form) or
//! [`Json`](super::http::json::Json).
//!
//! A `form` is a `post` whose form can be shown again with its values; the third part names the handler that does.

use super::api::apps::AppResource;
use super::api::changes::{add, patch, put, remove, replace, show};
use super::api::groups::GroupResource;
use super::api::invitations::InvitationResource;
use super::api::listing::list;
use super::api::rows::ApiRows as _;
use super::api::scoped::{
    AppsRead, AppsWrite, AuditRead, GroupsRead, GroupsWrite, Invitations, Me, Public, RolesWrite,
    SessionsRead, SessionsWrite, UsersRead, UsersWrite,
};
use super::api::sessions::SessionResource;
use super::api::users::{RoleResource, UserResource};
use super::api::{audit, explain, me, members, openapi, own_sessions, own_tokens, sessions, users};
use super::http::request_counts::CountedRoute;
use super::http::shared::Shared;
use super::pages::{
    account, admin, api_reference, compare, confirm, dev, go, home, links, log_in, log_out, passkeys,
    register, reset_password, second_factor, setup,
};
use super::route::RowsOfGuard as _;
use super::session::guard::{Admin, Confirmed, Pending, SignedIn, Visitor};
use crate::notices::LinkPurpose;

pub use super::route::{Face, Method, Route};

/// The rows of a deployed server with every optional part enabled.
pub fn table() -> Vec<Route> {
    let mut rows = page_table();
    rows.extend(api_table());
    rows
}

/// The same without the API.
pub fn page_table() -> Vec<Route> {
    let mut rows = product_table();
    rows.extend(link_table());
    rows.extend(compare_table());
    rows
}

/// The rows that this instance serves.
pub(super) fn enabled(shared: &Shared) -> Vec<Route> {
    let mut rows = product_table();
    rows.extend(link_table());
    if shared.lab.is_some() {
        rows.extend(compare_table());
    }
    if shared.local {
        rows.extend(local_table());
    }
    rows.extend(api_table());
    rows
}

#[rustfmt::skip]
fn product_table() -> Vec<Route> {
    vec![
        Visitor  ::get ("/",                                     home::landing),
        SignedIn ::get ("/home",                                 home::index),
        Visitor  ::get ("/go/{slug}",                            go::to_app),
        Visitor  ::get ("/api",                                  api_reference::index),

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
        Admin    ::get ("/admin/apps/{slug}/config/{proxy}",     admin::apps::proxy_config::show),
        Admin    ::post("/admin/tokens/{id}/revoke",             admin::tokens::revoke),
        Admin    ::get ("/admin/sessions",                       admin::sessions::index),
        Admin    ::post("/admin/sessions/{handle}/revoke",       admin::sessions::revoke),
        Admin    ::get ("/admin/audit",                          admin::audit::index),
        Admin    ::get ("/admin/invitations",                    admin::invitations::index),
        Admin    ::form("/admin/invitations",                    admin::invitations::invite, admin::invitations::again),
        Admin    ::post("/admin/invitations/{id}/withdraw",      admin::invitations::withdraw),
    ]
}

/// The JSON API. A row names its scope, and its third column says what it does.
#[rustfmt::skip]
pub fn api_table() -> Vec<Route> {
    vec![
        Public        ::get   ("/api/v1/openapi.json",                   "Show this document",                        openapi::show),

        Me            ::get   ("/api/v1/me",                             "Show yourself",                             me::show),
        Me            ::get   ("/api/v1/me/sessions",                    "List your sessions",                        own_sessions::list),
        Me            ::delete("/api/v1/me/sessions",                    "End your other sessions",                   own_sessions::end_others),
        Me            ::delete("/api/v1/me/sessions/{handle}",           "End one of your sessions",                  own_sessions::end),
        Me            ::get   ("/api/v1/me/tokens",                      "List your tokens",                          own_tokens::list),
        Me            ::delete("/api/v1/me/tokens/{id}",                 "Revoke one of your tokens",                 own_tokens::revoke),

        UsersRead     ::get   ("/api/v1/users",                          "List users",                                list::<UserResource>),
        UsersRead     ::get   ("/api/v1/users/{id}",                     "Show a user",                               show::<UserResource>),
        UsersWrite    ::patch ("/api/v1/users/{id}",                     "Change a user",                             patch::<UserResource>),
        UsersWrite    ::delete("/api/v1/users/{id}/sessions",            "End the sessions and tokens of a user",     users::end_sessions),
        RolesWrite    ::put   ("/api/v1/users/{id}/role",                "Set the role of a user",                    replace::<RoleResource>),

        Invitations   ::get   ("/api/v1/invitations",                    "List invitations",                          list::<InvitationResource>),
        Invitations   ::post  ("/api/v1/invitations",                    "Invite someone",                            add::<InvitationResource>),
        Invitations   ::get   ("/api/v1/invitations/{id}",               "Show an invitation",                        show::<InvitationResource>),
        Invitations   ::delete("/api/v1/invitations/{id}",               "Withdraw an invitation",                    remove::<InvitationResource>),

        SessionsRead  ::get   ("/api/v1/sessions",                       "List sessions",                             list::<SessionResource>),
        SessionsWrite ::delete("/api/v1/sessions/{handle}",              "End a session",                             sessions::end),

        AuditRead     ::get   ("/api/v1/audit",                          "Read the audit trail",                      audit::list),

        AppsRead      ::get   ("/api/v1/apps",                           "List apps",                                 list::<AppResource>),
        AppsRead      ::get   ("/api/v1/apps/{slug}",                    "Show an app",                               show::<AppResource>),
        AppsWrite     ::put   ("/api/v1/apps/{slug}",                    "Add or replace an app",                     put::<AppResource>),
        AppsWrite     ::delete("/api/v1/apps/{slug}",                    "Remove an app",                             remove::<AppResource>),
        AppsRead      ::post  ("/api/v1/apps/{slug}/explain",            "Explain a request for an app",              explain::explain),

        GroupsRead    ::get   ("/api/v1/groups",                         "List groups",                               list::<GroupResource>),
        GroupsRead    ::get   ("/api/v1/groups/{name}",                  "Show a group",                              show::<GroupResource>),
        GroupsWrite   ::put   ("/api/v1/groups/{name}",                  "Add or replace a group",                    put::<GroupResource>),
        GroupsWrite   ::delete("/api/v1/groups/{name}",                  "Remove a group",                            remove::<GroupResource>),
        GroupsWrite   ::put   ("/api/v1/groups/{name}/members/{user}",   "Add a member to a group",                   members::join),
        GroupsWrite   ::delete("/api/v1/groups/{name}/members/{user}",   "Remove a member from a group",              members::leave),
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

/// The rows, for the counters.
pub fn counted() -> impl Iterator<Item = CountedRoute> {
    table().into_iter().chain(local_table()).map(|row| CountedRoute {
        path: row.path,
        method: row.method.as_str(),
        guard: row.guard.as_str(),
    })
}
