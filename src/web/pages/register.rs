//! Register, and prove the address.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::{NewPerson, RegisterRefusal};
use crate::config::Registration;
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash::{self, Flash};
use crate::web::form::{Fields, Form, Input, SecretText, Text};
use crate::web::guard::Visitor;
use crate::web::link;
use crate::web::page::{self, Page};
use crate::web::receive::Draft;
use crate::web::view::Strength;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct RegisterForm {
    name: Text,
    email: Text,
    password: SecretText,
    invite: Text,
}

impl Input for RegisterForm {
    const LEADS_ON: bool = true;
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
}

pub async fn form(visitor: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    if visitor.0.is_some() {
        return Ok(flash::see_other("/home"));
    }
    let invite = ctx.mailed_token("invite");
    let mut fields = Fields::new(vec![("invite".into(), invite.to_owned())]);
    let invited = ctx.accounts().invited(invite).await?;
    if let Some(invited) = &invited {
        fields.set("email", &invited.email);
    }
    match ctx.accounts().registration() {
        Registration::Closed => fields.refuse("", RegisterRefusal::Closed),
        _ if !ctx.accounts().mailer().delivers() => fields.refuse("", RegisterRefusal::NoMail),
        Registration::Invite if invited.is_none() => fields.refuse("", RegisterRefusal::NotInvited),
        _ => {}
    }
    page::ok(&RegisterPage {
        page: ctx.page(),
        form: fields,
        password_min: ctx.accounts().password_min(),
        strength: None,
    })
}

/// With what was typed on a page that was out of date.
pub async fn again(_: Visitor, ctx: Ctx, draft: Draft) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().password_min();
    page::ok(&RegisterPage { page: ctx.page(), form: draft.0, password_min, strength: None })
}

pub async fn submit(_: Visitor, ctx: Ctx, mut form: Form<RegisterForm>) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().password_min();
    if form.only_toggles() {
        return page::ok(&RegisterPage { page: ctx.page(), form: form.fields, password_min, strength: None });
    }
    let RegisterForm { name, email, password, invite } = form.input;
    let person = NewPerson { name: name.0, email: email.0, password: password.reveal(), invite: invite.0 };
    let refusal = match ctx.accounts().register(person.clone(), ctx.client()).await? {
        Ok(()) => return Ok(flash::see_other("/register/check-email")),
        Err(refusal) => refusal,
    };
    let (wait, judged) = match &refusal {
        RegisterRefusal::TooMany(wait) => (Some(*wait), false),
        RegisterRefusal::Fields { .. } => (None, !person.password.is_empty()),
        RegisterRefusal::Closed | RegisterRefusal::NoMail | RegisterRefusal::NotInvited => (None, false),
    };
    explain(&mut form.fields, refusal);
    // Costly, so only for those whose password was looked at.
    let strength = match judged {
        true => Some(ctx.accounts().strength(&person.password, &person.name, &person.email).await?),
        false => None,
    };
    let page = RegisterPage { page: ctx.page(), form: form.fields, password_min, strength };
    match wait {
        Some(wait) => page::too_many(wait, &page),
        None => page::refused(&page),
    }
}

/// Puts each reason beside its field; shared with the setup page.
pub(super) fn explain(fields: &mut Fields, refusal: RegisterRefusal) {
    match refusal {
        RegisterRefusal::TooMany(wait) => fields.refuse("", wait),
        RegisterRefusal::Fields { name, email, password } => {
            if let Some(why) = name {
                fields.refuse("name", why);
            }
            if let Some(why) = email {
                fields.refuse("email", why);
            }
            if let Some(why) = password {
                fields.refuse("password", why);
            }
        }
        other => fields.refuse("", other),
    }
}

impl std::fmt::Display for RegisterRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "Registration is closed. An administrator can make you an account.",
            Self::NoMail => "Mail is switched off here, so no link can be sent. An administrator can make you an account.",
            Self::NotInvited => "Registration is by invitation. Open the link in your invitation, and use the address it was sent to.",
            Self::Fields { .. } | Self::TooMany(_) => "Check what you typed.",
        })
    }
}

#[derive(Template)]
#[template(path = "register_check_email.html")]
struct RegisterCheckEmailPage {
    page: Page,
}

pub async fn check_email(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&RegisterCheckEmailPage { page: ctx.page() })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct TokenForm {
    token: Text,
}

impl Input for TokenForm {}

#[derive(Template)]
#[template(path = "verify_email.html")]
struct VerifyEmailPage {
    page: Page,
    form: Fields,
}

const DEAD: &str =
    "This link is used up or too old. If you confirmed already, log in; otherwise register again.";

/// Only shows a button: mail scanners follow links, they press nothing.
pub async fn verify_form(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    let token = match link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().verify_link_is_live(&token).await?;
    let form = link::fields(token, live, DEAD);
    page::show(link::status(live), &VerifyEmailPage { page: ctx.page(), form })
}

pub async fn verify(_: Visitor, ctx: Ctx, mut form: Form<TokenForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().verify_email(&form.input.token, ctx.client()).await? {
        Some(()) => Ok(link::used(ctx.redirect("/login", Flash::Verified), &ctx.shared)),
        None => {
            form.fields.refuse("token", DEAD);
            page::refused(&VerifyEmailPage { page: ctx.page(), form: form.fields })
        }
    }
}
