//! Create the first administrator.

use actix_web::HttpResponse;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::register::explain;
use crate::db::Refusable as _;
use crate::registration::{NewUser, SetupRefusal};
use crate::web::copy::links::DEAD_SETUP;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, SecretText, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::mailed_link;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::Strength;
use crate::web::session::guard::Visitor;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct SetupForm {
    token: Text,
    name: Text,
    email: Text,
    password: SecretText,
}

impl FormInput for SetupForm {}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
}

pub async fn form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let token = match mailed_link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().registration.setup_link_is_live(&token).await?;
    page::show(
        mailed_link::status(live),
        &SetupPage {
            page: ctx.page(),
            form: mailed_link::fields(token, live, DEAD_SETUP),
            password_min: ctx.accounts().passwords.min_code_points(),
            strength: None,
        },
    )
}

pub async fn submit(
    _: Visitor,
    ctx: RequestContext,
    mut form: Form<SetupForm>,
) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().passwords.min_code_points();
    if form.only_toggles() {
        return page::ok(&SetupPage { page: ctx.page(), form: form.fields, password_min, strength: None });
    }
    let SetupForm { token, name, email, password } = form.input;
    let person =
        NewUser { name: name.0, email: email.0, password: password.into_secret(), invite: String::new() };
    let mut strength = None;
    match ctx
        .accounts()
        .registration
        .create_first_admin(token.as_str(), person.clone(), ctx.client())
        .await
        .split()?
    {
        Ok(()) => return Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::SetUp))),
        Err(refusal @ SetupRefusal::DeadLink) => form.fields.refuse("token", refusal),
        Err(refusal @ SetupRefusal::Taken) => form.fields.refuse("email", refusal),
        Err(SetupRefusal::Register(refusal)) => {
            explain(&mut form.fields, refusal);
            if !person.password.expose_secret().is_empty() {
                strength = Some(
                    ctx.accounts()
                        .passwords
                        .strength(person.password.expose_secret(), &person.name, &person.email)
                        .await?,
                );
            }
        }
    }
    page::refused(&SetupPage { page: ctx.page(), form: form.fields, password_min, strength })
}
