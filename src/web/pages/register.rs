//! Register, and verify the address.

use actix_web::HttpResponse;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::config::RegistrationMode;
use crate::db::Refusable as _;
use crate::registration::{NewUser, RegisterRefusal, VerifyLink, VerifyRefusal};
use crate::web::copy::links::DEAD_REGISTRATION;
use crate::web::copy::phrase::Phrase;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Fields, Form, FormInput, Preset, SecretText, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::Strength;
use crate::web::pages::{mailed_link, registration_cookie};
use crate::web::session::guard::Visitor;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct RegisterForm {
    name: Text,
    email: Text,
    password: SecretText,
    invite: Text,
}

impl FormInput for RegisterForm {
    const GOES_ON_IF_LOGGED_IN: bool = true;
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
    /// Why there is no form.
    closed: Option<Phrase>,
}

pub async fn form(visitor: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    if visitor.session.is_some() {
        return Ok(flash::see_other("/home"));
    }
    let invite = match mailed_link::named(&ctx, "invite") {
        Ok(invite) => invite,
        Err(moved) => return Ok(*moved),
    };
    let invited = ctx.accounts().registration.open_invitation(&invite).await?;
    let mut fields = Fields::new(vec![("invite".into(), invite)]);
    if let Some(invited) = &invited {
        fields.set("email", &invited.email);
    }
    let closed = match ctx.accounts().registration.mode() {
        RegistrationMode::Closed => Some(RegisterRefusal::Closed.into()),
        _ if !ctx.accounts().mailer().delivers() => Some(RegisterRefusal::NoMail.into()),
        RegistrationMode::Invite if invited.is_none() => {
            fields.refuse("", RegisterRefusal::NotInvited);
            None
        }
        _ => None,
    };
    page::ok(&RegisterPage {
        page: ctx.page(),
        form: fields,
        password_min: ctx.accounts().passwords.min_code_points(),
        strength: None,
        closed,
    })
}

/// With the values that were typed on an out-of-date page.
pub async fn again(_: Visitor, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().passwords.min_code_points();
    page::ok(&RegisterPage { page: ctx.page(), form: draft.0, password_min, strength: None, closed: None })
}

pub async fn submit(
    _: Visitor,
    ctx: RequestContext,
    mut form: Form<RegisterForm>,
) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().passwords.min_code_points();
    if form.only_toggles() {
        return page::ok(&RegisterPage {
            page: ctx.page(),
            form: form.fields,
            password_min,
            strength: None,
            closed: None,
        });
    }
    let RegisterForm { name, email, password, invite } = form.input;
    let person = NewUser { name: name.0, email: email.0, password: password.into_secret(), invite: invite.0 };
    let refusal = match ctx.accounts().registration.register(person.clone(), ctx.client()).await.split()? {
        Ok(token) => {
            let answer = flash::see_other("/register/check-email");
            registration_cookie::keep(&ctx.request, &ctx.shared, &token);
            return Ok(if person.invite.is_empty() { answer } else { mailed_link::used(&ctx, answer) });
        }
        // No typed value can change these.
        Err(closed @ (RegisterRefusal::Closed | RegisterRefusal::NoMail)) => {
            return page::refused(&RegisterPage {
                page: ctx.page(),
                form: form.fields,
                password_min,
                strength: None,
                closed: Some(closed.into()),
            });
        }
        Err(refusal) => refusal,
    };
    let (wait, judged) = match &refusal {
        RegisterRefusal::TooMany(wait) => (Some(*wait), false),
        RegisterRefusal::Fields { .. } => (None, !person.password.expose_secret().is_empty()),
        RegisterRefusal::Closed | RegisterRefusal::NoMail | RegisterRefusal::NotInvited => (None, false),
    };
    explain(&mut form.fields, refusal);
    // Costly, so it is computed only for users whose password was checked.
    let strength = match judged {
        true => Some(
            ctx.accounts()
                .passwords
                .strength(person.password.expose_secret(), &person.name, &person.email)
                .await?,
        ),
        false => None,
    };
    let page = RegisterPage { page: ctx.page(), form: form.fields, password_min, strength, closed: None };
    match wait {
        Some(wait) => page::too_many(wait, &page),
        None => page::refused(&page),
    }
}

/// Puts each error beside its field; shared with the setup page.
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

#[derive(Template)]
#[template(path = "register/check_email.html")]
struct RegisterCheckEmailPage {
    page: Page,
}

pub async fn check_email(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&RegisterCheckEmailPage { page: ctx.page() })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct VerifyForm {
    token: Text,
    /// Only if another browser began the registration.
    password: SecretText,
    /// The registration is to be cancelled.
    discard: Preset,
}

impl FormInput for VerifyForm {}

#[derive(Template)]
#[template(path = "verify_email.html")]
struct VerifyEmailPage {
    page: Page,
    form: Fields,
    asks_password: bool,
}

/// Shows only a button: mail scanners follow links but do not press buttons.
pub async fn verify_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let token = match mailed_link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let link = ctx
        .accounts()
        .registration
        .verify_link(&token, registration_cookie::shown(&ctx.request, &ctx.shared))
        .await?;
    let live = link != VerifyLink::Dead;
    let (form, asks_password) =
        (mailed_link::fields(token, live, DEAD_REGISTRATION), link == VerifyLink::OtherBrowser);
    page::show(mailed_link::status(live), &VerifyEmailPage { page: ctx.page(), form, asks_password })
}

pub async fn verify(
    _: Visitor,
    ctx: RequestContext,
    mut form: Form<VerifyForm>,
) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&VerifyEmailPage { page: ctx.page(), form: form.fields, asks_password: true });
    }
    if !form.input.discard.as_str().is_empty() {
        return discarded(ctx, form).await;
    }
    let VerifyForm { token, password, .. } = form.input;
    let password = password.into_secret();
    let browser = registration_cookie::shown(&ctx.request, &ctx.shared);
    let refusal = match ctx
        .accounts()
        .registration
        .verify_email(token.as_str(), password.expose_secret(), browser, ctx.client())
        .await
        .split()?
    {
        Ok(()) => {
            let answer = mailed_link::used(&ctx, ctx.redirect("/login", Flash::Verified));
            registration_cookie::forget(&ctx.request, &ctx.shared);
            return Ok(answer);
        }
        Err(refusal) => refusal,
    };
    let (field, wait) = match &refusal {
        // The page asks for the password next.
        VerifyRefusal::PasswordNeeded => {
            return Ok(ctx.redirect("/verify-email", Flash::RegistrationPassword));
        }
        VerifyRefusal::DeadLink => ("token", None),
        VerifyRefusal::WrongPassword => ("password", None),
        VerifyRefusal::TooMany(wait) => ("", Some(*wait)),
    };
    let asks_password = refusal != VerifyRefusal::DeadLink;
    form.fields.refuse(field, refusal);
    let page = VerifyEmailPage { page: ctx.page(), form: form.fields, asks_password };
    match wait {
        Some(wait) => page::too_many(wait, &page),
        None => page::refused(&page),
    }
}

/// Another person began the registration, or the owner of the inbox forgot its password: the owner starts again.
async fn discarded(ctx: RequestContext, mut form: Form<VerifyForm>) -> Result<HttpResponse, Error> {
    if !ctx.accounts().registration.discard_registration(form.input.token.as_str()).await? {
        form.fields.refuse("token", DEAD_REGISTRATION);
        return page::refused(&VerifyEmailPage { page: ctx.page(), form: form.fields, asks_password: false });
    }
    let dropped = match ctx.accounts().registration.mode() {
        RegistrationMode::Invite => Flash::InvitedRegistrationDropped,
        RegistrationMode::Open | RegistrationMode::Closed => Flash::RegistrationDropped,
    };
    Ok(mailed_link::used(&ctx, ctx.redirect("/register", dropped)))
}
