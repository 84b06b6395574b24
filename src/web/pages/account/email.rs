//! Change the email address. The change takes effect when the link sent to the new address is opened.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::identity::{Email, LiveUser};
use crate::users::ChangeEmailRefusal;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::When;
use crate::web::session::guard::{Confirmed, SignedIn};

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct EmailForm {
    email: Text,
}

impl FormInput for EmailForm {}

#[derive(Template)]
#[template(path = "account/email.html")]
struct EmailPage {
    page: Page,
    form: Fields,
    /// The current address.
    email: String,
    pending: Option<PendingChange>,
}

/// A pending change of address, until its link is opened.
pub struct PendingChange {
    pub email: String,
    pub asked: When,
    pub until: When,
}

impl PendingChange {
    pub async fn of(me: &LiveUser, ctx: &RequestContext) -> Result<Option<Self>, Error> {
        let pending = ctx.accounts().users.pending_email_change(me).await?;
        Ok(pending.map(|pending| Self {
            email: pending.email,
            asked: When::new(pending.asked_at, me.now()),
            until: When::new(pending.expires_at, me.now()),
        }))
    }
}

impl EmailPage {
    async fn new(me: &Confirmed, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let email = ctx.accounts().users.email_of(&me.session).await?.unwrap_or_default();
        // Without "/resend", which shows this page when it refuses.
        let page = ctx.page().at("/account/email");
        Ok(Self { page, form, email, pending: PendingChange::of(&me.session, ctx).await? })
    }

    /// The page again, with the reason why no email was sent.
    async fn refused(
        me: &Confirmed,
        ctx: &RequestContext,
        mut form: Fields,
        refusal: ChangeEmailRefusal,
    ) -> Result<HttpResponse, Error> {
        let (field, wait) = match &refusal {
            ChangeEmailRefusal::SessionLost => return Ok(ctx.redirect("/account/email", Flash::SessionLost)),
            ChangeEmailRefusal::Same => ("email", None),
            ChangeEmailRefusal::NoMail => ("", None),
            ChangeEmailRefusal::TooMany(wait) => ("", Some(*wait)),
        };
        form.refuse(field, refusal);
        let page = Self::new(me, ctx, form).await?;
        match wait {
            Some(wait) => page::too_many(wait, &page),
            None => page::refused(&page),
        }
    }
}

pub async fn form(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&EmailPage::new(&me, &ctx, Fields::default()).await?)
}

/// With the values that were typed before the confirmation expired.
pub async fn again(me: Confirmed, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&EmailPage::new(&me, &ctx, draft.0).await?)
}

pub async fn submit(
    me: Confirmed,
    ctx: RequestContext,
    mut form: Form<EmailForm>,
) -> Result<HttpResponse, Error> {
    let email = match Email::parse(form.input.email.as_str()) {
        Ok(email) => email,
        Err(why) => {
            form.fields.refuse("email", why);
            return page::refused(&EmailPage::new(&me, &ctx, form.fields).await?);
        }
    };
    match ctx.accounts().users.request_email_change(me.session.clone(), email, ctx.client()).await.split()? {
        Ok(()) => Ok(ctx.redirect("/account/email", Flash::EmailAsked)),
        Err(refusal) => EmailPage::refused(&me, &ctx, form.fields, refusal).await,
    }
}

pub async fn cancel(me: SignedIn, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    let cancelled = ctx.accounts().users.cancel_email_change(me.session.clone(), ctx.client()).await?;
    Ok(ctx.redirect("/account", if cancelled { Flash::EmailCancelled } else { Flash::NoEmailPending }))
}

pub async fn resend(me: Confirmed, ctx: RequestContext, form: Form<NoFields>) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.resend_email_change(me.session.clone(), ctx.client()).await.split()? {
        Ok(true) => Ok(ctx.redirect("/account/email", Flash::EmailSentAgain)),
        Ok(false) => Ok(ctx.redirect("/account/email", Flash::NoEmailPending)),
        Err(refusal) => EmailPage::refused(&me, &ctx, form.fields, refusal).await,
    }
}
