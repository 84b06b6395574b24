//! A user's own access tokens: list, create and revoke them.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::apps::Caller;
use crate::config::{Span, in_words};
use crate::db::Refusable as _;
use crate::identity::{Role, UserSession as _};
use crate::tokens::{
    ApiScope, CreatedToken, NewToken, RequestedScopes, ScopesRefusal, TokenId, TokenRefusal,
};
use crate::web::copy::tokens::{UNKNOWN_LIFETIME, scope, scopes};
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::http::path::{ById, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{TokenView, When};
use crate::web::session::guard::Confirmed;

const PAGE: &str = "/account/tokens";

/// The value of the select field for a token for the API.
const API: &str = "api";

/// The lifetimes that the page offers. The second one is selected.
const LIFETIMES: [Span; 4] = [Span::days(7), Span::days(30), Span::days(90), Span::days(365)];

#[derive(Template)]
#[template(path = "account/tokens.html")]
struct TokensPage {
    page: Page,
    form: Fields,
    tokens: Vec<TokenView>,
    /// The API and the apps, as the values and texts of a select field.
    opens: Vec<(String, String)>,
    /// The scopes that the user's role allows: field, name and text.
    scopes: Vec<(String, &'static str, &'static str)>,
    lifetimes: Vec<(String, String)>,
}

impl TokensPage {
    async fn new(me: &Confirmed, ctx: &RequestContext, mut form: Fields) -> Result<Self, Error> {
        let accounts = ctx.accounts();
        let now = me.session.now();
        let tokens = accounts.tokens.of_user(me.session.user_id()).await?;
        let mut opens = vec![(API.to_owned(), "The API".to_owned())];
        let snapshot = accounts.apps.snapshot().await?;
        let caller = Caller::of(&me.session, me.session.record.confirmed_at);
        let apps = snapshot.apps().iter().filter(|app| caller.may_use_tokens_at(app));
        opens.extend(apps.map(|app| (app.slug.to_string(), format!("Only the app {}", app.name))));
        if form.value("expires").is_empty() {
            form.set("expires", &LIFETIMES[1].to_string());
        }
        let allowed =
            ApiScope::ALL.into_iter().filter(|scope| me.session.owner.role >= scope.required_role());
        Ok(Self {
            page: ctx.page().at(PAGE),
            form,
            tokens: tokens.iter().map(|token| TokenView::new(token, now)).collect(),
            opens,
            scopes: allowed
                .map(|allowed| (field_of_scope(allowed), allowed.as_str(), scope(allowed)))
                .collect(),
            lifetimes: LIFETIMES.map(|span| (span.to_string(), in_words(span))).to_vec(),
        })
    }
}

/// The name of the check box, such as `users_read`.
fn field_of_scope(scope: ApiScope) -> String {
    scope.as_str().replace(':', "_")
}

pub async fn index(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&TokensPage::new(&me, &ctx, Fields::default()).await?)
}

/// Shows the page with the values that were typed before the confirmation expired.
pub async fn again(me: Confirmed, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&TokensPage::new(&me, &ctx, draft.0).await?)
}

/// Each scope has a check box of its own, because a field may not be repeated; see [`field_of_scope`].
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NewTokenForm {
    name: Text,
    opens: Text,
    expires: Text,
    me: Text,
    users_read: Text,
    users_write: Text,
    roles_write: Text,
    invitations: Text,
    sessions_read: Text,
    sessions_write: Text,
    audit_read: Text,
    apps_read: Text,
    apps_write: Text,
    groups_read: Text,
    groups_write: Text,
}

impl FormInput for NewTokenForm {}

impl NewTokenForm {
    fn is_checked(&self, scope: ApiScope) -> bool {
        let field = match scope {
            ApiScope::Me => &self.me,
            ApiScope::UsersRead => &self.users_read,
            ApiScope::UsersWrite => &self.users_write,
            ApiScope::RolesWrite => &self.roles_write,
            ApiScope::Invitations => &self.invitations,
            ApiScope::SessionsRead => &self.sessions_read,
            ApiScope::SessionsWrite => &self.sessions_write,
            ApiScope::AuditRead => &self.audit_read,
            ApiScope::AppsRead => &self.apps_read,
            ApiScope::AppsWrite => &self.apps_write,
            ApiScope::GroupsRead => &self.groups_read,
            ApiScope::GroupsWrite => &self.groups_write,
        };
        !field.as_str().is_empty()
    }

    fn scopes(&self) -> Result<RequestedScopes, ScopesRefusal> {
        let app = Some(self.opens.as_str()).filter(|opens| !opens.is_empty() && *opens != API);
        let app = app.map(|slug| format!("app:{slug}"));
        let checked = ApiScope::ALL.into_iter().filter(|scope| self.is_checked(*scope));
        let mut texts: Vec<&str> = checked.map(ApiScope::as_str).collect();
        texts.extend(app.as_deref());
        RequestedScopes::parse(texts)
    }

    fn lifetime(&self) -> Option<Span> {
        LIFETIMES.into_iter().find(|span| span.to_string() == self.expires.as_str())
    }
}

#[derive(Template)]
#[template(path = "account/tokens/created.html")]
struct CreatedPage {
    page: Page,
    name: String,
    text: String,
    scopes: String,
    expires: When,
}

pub async fn create(
    me: Confirmed,
    ctx: RequestContext,
    mut form: Form<NewTokenForm>,
) -> Result<HttpResponse, Error> {
    match (form.input.scopes(), form.input.lifetime()) {
        (Ok(scopes), Some(lifetime)) => {
            if needs_admin(&scopes) && !me.session.confirmed_within(ctx.shared.limits.admin_window.std()) {
                flash::set(&ctx.request, &ctx.shared, Flash::ConfirmThenAgain);
                return Err(Error::Confirm { next: Some(PAGE.to_owned()) });
            }
            let token = NewToken {
                user: me.session.user_id(),
                name: form.input.name.0.clone(),
                scopes,
                lifetime: lifetime.std(),
                made_by: Some(me.session.record.handle),
            };
            match ctx.accounts().tokens.create(token, ctx.client()).await.split()? {
                Ok(created) => return show(&me, &ctx, &created),
                Err(refusal) => form.fields.refuse(field_of(&refusal), &refusal),
            }
        }
        (scopes, lifetime) => {
            if let Err(refusal) = &scopes {
                form.fields.refuse("scopes", refusal);
            }
            if lifetime.is_none() {
                form.fields.refuse("expires", UNKNOWN_LIFETIME);
            }
        }
    }
    page::refused(&TokensPage::new(&me, &ctx, form.fields).await?)
}

/// A token of an administrator needs a confirmation as recent as the pages of administrators do.
fn needs_admin(scopes: &RequestedScopes) -> bool {
    match scopes {
        RequestedScopes::Api(scopes) => scopes.iter().any(|scope| scope.required_role() > Role::Member),
        RequestedScopes::App(_) => false,
    }
}

/// The answer to the form. The token cannot be shown again: only its hash is stored.
fn show(me: &Confirmed, ctx: &RequestContext, created: &CreatedToken) -> Result<HttpResponse, Error> {
    page::ok(&CreatedPage {
        page: ctx.page().at(PAGE),
        name: created.record.name.clone(),
        text: created.text.reveal().to_owned(),
        scopes: scopes(&created.record.scopes),
        expires: When::new(created.record.expires_at, me.session.now()),
    })
}

/// The field beside which a refusal is shown; empty for the whole form.
fn field_of(refusal: &TokenRefusal) -> &'static str {
    match refusal {
        TokenRefusal::Name(_) | TokenRefusal::NameTaken => "name",
        TokenRefusal::RoleTooLow(_) => "scopes",
        TokenRefusal::NoSuchApp(_) => "opens",
        TokenRefusal::LifetimeTooLong { .. } | TokenRefusal::LifetimeTooShort => "expires",
        TokenRefusal::TooMany { .. } | TokenRefusal::NoSuchUser => "",
    }
}

pub async fn revoke(
    me: Confirmed,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let (user, tokens) = (me.session.user_id(), &ctx.accounts().tokens);
    tokens.revoke_own(user, TokenId(id), ctx.client()).await?.ok_or(Error::NotFound)?;
    Ok(ctx.redirect(PAGE, Flash::TokenRevoked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::fields::texts;

    #[test]
    fn every_scope_has_a_check_box() {
        let fields = texts::<NewTokenForm>();
        for scope in ApiScope::ALL {
            let field = field_of_scope(scope);
            assert!(fields.contains(&field.as_str()), "{field}");
            assert!(!NewTokenForm::default().is_checked(scope));
            let form: NewTokenForm = serde_json::from_value(serde_json::json!({ field: "1" })).unwrap();
            assert_eq!(form.scopes().unwrap().texts(), [scope.as_str()]);
        }
    }

    #[test]
    fn an_app_is_chosen_alone() {
        let form = |fields| serde_json::from_value::<NewTokenForm>(fields).unwrap().scopes();
        let app = form(serde_json::json!({ "opens": "wiki" })).unwrap();
        assert_eq!(app.texts(), ["app:wiki"]);
        for (fields, refusal) in [
            (serde_json::json!({ "opens": "wiki", "me": "1" }), ScopesRefusal::AppNotAlone),
            (serde_json::json!({ "opens": "api" }), ScopesRefusal::NoScope),
            (serde_json::json!({}), ScopesRefusal::NoScope),
            (serde_json::json!({ "opens": "No App" }), ScopesRefusal::UnknownScope("app:No App".into())),
        ] {
            assert_eq!(form(fields), Err(refusal));
        }
    }
}
