//! Adds, renames and removes passkeys, and decides whether one is required after the password.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::recovery_codes;
use crate::db::Refusable as _;
use crate::factors::{Attestation, PasskeyId, PasskeyStep, PasskeyStepChange};
use crate::identity::Name;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset, Text};
use crate::web::http::json::{Json, NoInput};
use crate::web::http::path::{ById, Path};
use crate::web::pages::account::security::SecurityPage;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::pages::{NoFields, passkeys};
use crate::web::session::guard::Confirmed;

const PAGE: &str = "/account/security";

pub async fn start(me: Confirmed, ctx: RequestContext, _: Json<NoInput>) -> Result<HttpResponse, Error> {
    match ctx
        .accounts()
        .factors
        .start_passkey_registration(me.session.clone(), ctx.binding())
        .await
        .split()?
    {
        Ok(options) => Ok(HttpResponse::Ok().json(options)),
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

pub async fn finish(
    me: Confirmed,
    ctx: RequestContext,
    made: Json<Attestation>,
) -> Result<HttpResponse, Error> {
    let step = PasskeyStep::parse(&ctx.query("second_step")).unwrap_or(PasskeyStep::Required);
    match ctx
        .accounts()
        .factors
        .finish_passkey_registration(me.session.clone(), ctx.binding(), made.0, step, ctx.client())
        .await
        .split()?
    {
        // The page has a form that creates recovery codes, which are shown only in the answer to a form.
        Ok(added) => {
            let response = HttpResponse::Ok().json(json!({ "next": PAGE, "codes": added.wants_codes }));
            let said = match added.step {
                Some(PasskeyStep::Required) => Flash::PasskeyRequired,
                Some(PasskeyStep::Off) => Flash::PasskeyOptional,
                None => Flash::PasskeyAdded,
            };
            ctx.flash(said);
            Ok(response)
        }
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NameForm {
    name: Text,
}

impl FormInput for NameForm {}

pub async fn rename(
    me: Confirmed,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    form: Form<NameForm>,
) -> Result<HttpResponse, Error> {
    let name = match Name::parse(form.input.name.as_str()) {
        Ok(name) => name,
        Err(why) => {
            let mut page = SecurityPage::new(&me, &ctx).await?;
            page.passkeys.open(PasskeyId(id), form.input.name.as_str())?.error = Some(why.into());
            return page::refused(&page);
        }
    };
    if !ctx.accounts().factors.rename_passkey(me.session.clone(), PasskeyId(id), name, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRenamed))
}

/// With the name that was typed before the confirmation expired.
pub async fn rename_again(
    me: Confirmed,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    let mut page = SecurityPage::new(&me, &ctx).await?;
    page.passkeys.open(PasskeyId(id), draft.0.value("name"))?;
    page::ok(&page)
}

pub async fn remove(
    me: Confirmed,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().factors.remove_passkey(me.session.clone(), PasskeyId(id), ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRemoved))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct PasskeyStepForm {
    second_step: Preset,
}

impl FormInput for PasskeyStepForm {}

pub async fn set_step(
    me: Confirmed,
    ctx: RequestContext,
    form: Form<PasskeyStepForm>,
) -> Result<HttpResponse, Error> {
    let Some(step) = PasskeyStep::parse(form.input.second_step.as_str()) else {
        return Ok(ctx.redirect(PAGE, Flash::StepUnchanged));
    };
    match ctx.accounts().factors.set_passkey_step(me.session.clone(), step, ctx.client()).await? {
        PasskeyStepChange::Required(Some(codes)) => {
            recovery_codes::show(&me, &ctx, &codes, Some(Flash::StepRequired), false).await
        }
        PasskeyStepChange::Required(None) => Ok(ctx.redirect(PAGE, Flash::StepRequired)),
        PasskeyStepChange::Off => Ok(ctx.redirect(PAGE, Flash::StepOff)),
        // The page with the codes was reloaded.
        PasskeyStepChange::Unchanged if step == PasskeyStep::Required => {
            Ok(ctx.redirect(PAGE, Flash::CodesShown))
        }
        PasskeyStepChange::Unchanged => Ok(ctx.redirect(PAGE, Flash::StepUnchanged)),
    }
}
