//! The ways in which the user logs in.

use actix_web::HttpResponse;
use askama::Template;

use super::passkey_section::{PasskeySection, PasswordLogIn};
use super::totp::Totp;
use crate::identity::UserSession as _;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Confirmed;

#[derive(Template)]
#[template(path = "account/security.html")]
pub struct SecurityPage {
    page: Page,
    pub passkeys: PasskeySection,
    totp: Totp,
    /// Sessions other than this one.
    others: usize,
}

impl SecurityPage {
    pub async fn new(me: &Confirmed, ctx: &RequestContext) -> Result<Self, Error> {
        let page = ctx.page_with_passkeys().at("/account/security");
        let sessions = ctx.accounts().login.own_sessions(&me.session).await?;
        let others = sessions.iter().filter(|record| record.handle != me.session.record.handle).count();
        let factors = ctx.accounts().factors.status(me.session.user_id()).await?;
        let passkeys = PasskeySection::of(me, ctx, &factors).await?;
        Ok(Self { page, passkeys, totp: Totp::new(&factors, me.session.now()), others })
    }
}

pub async fn index(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&SecurityPage::new(&me, &ctx).await?)
}
