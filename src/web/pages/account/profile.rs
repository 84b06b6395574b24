//! The user's name.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::identity::Name;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::account::email::PendingChange;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::When;
use crate::web::session::guard::SignedIn;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ProfileForm {
    name: Text,
}

impl FormInput for ProfileForm {}

#[derive(Template)]
#[template(path = "account.html")]
struct ProfilePage {
    page: Page,
    form: Fields,
    email: String,
    role: String,
    since: When,
    pending: Option<PendingChange>,
}

impl ProfilePage {
    async fn new(me: &SignedIn, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let row = ctx.accounts().users.own_user(&me.session).await?.ok_or(Error::NotFound)?;
        Ok(Self {
            page: ctx.page().at("/account"),
            form,
            email: row.email,
            role: me.session.owner.role.as_str().to_owned(),
            since: When::new(row.created_at, me.session.now()),
            pending: PendingChange::of(&me.session, ctx).await?,
        })
    }
}

pub async fn form(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let fields = Fields::new(vec![("name".into(), me.session.owner.name().to_owned())]);
    page::ok(&ProfilePage::new(&me, &ctx, fields).await?)
}

/// With the values that were typed on an out-of-date page.
pub async fn again(me: SignedIn, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&ProfilePage::new(&me, &ctx, draft.0).await?)
}

pub async fn submit(
    me: SignedIn,
    ctx: RequestContext,
    mut form: Form<ProfileForm>,
) -> Result<HttpResponse, Error> {
    match Name::parse(form.input.name.as_str()) {
        Ok(name) => {
            ctx.accounts().users.rename(me.session.clone(), name, ctx.client()).await?;
            Ok(ctx.redirect("/account", Flash::NameChanged))
        }
        Err(why) => {
            form.fields.refuse("name", why);
            page::refused(&ProfilePage::new(&me, &ctx, form.fields).await?)
        }
    }
}
