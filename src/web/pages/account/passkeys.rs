//! Your passkeys: a part of the security page, and what is done there.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::recovery_codes;
use crate::accounts::{Attestation, Factors, Name, Passkey, PasskeyId, PasskeyStep, StepChange};
use crate::web::ctx::{Ctx, Id};
use crate::web::error::Error;
use crate::web::flash::{self, Flash};
use crate::web::form::{Form, Input};
use crate::web::guard::Confirmed;
use crate::web::json::{Json, Nothing};
use crate::web::page;
use crate::web::pages::account::security::SecurityPage;
use crate::web::pages::{Button, passkeys};
use crate::web::view::When;

const PAGE: &str = "/account/security";

/// As account/_passkeys.html shows them.
pub struct Passkeys {
    pub work: bool,
    pub rows: Vec<Row>,
    pub password: Password,
}

/// What a log-in with the password asks for besides it.
#[derive(PartialEq, Eq)]
pub enum Password {
    /// There is no second step yet: the first passkey comes with the choice.
    Choice,
    /// An authenticator app requires a second step, whatever is chosen for passkeys.
    App,
    Required,
    Alone,
}

pub struct Row {
    pub id: String,
    pub name: String,
    pub added: When,
    pub last_used: Option<When>,
    pub suspect_since: Option<When>,
    /// What is in the field for another name, and what is wrong with that.
    pub typed: String,
    pub error: Option<String>,
}

impl Passkeys {
    pub async fn of(me: &Confirmed, ctx: &Ctx, factors: &Factors) -> Result<Self, Error> {
        let row = |Passkey { id, name, created_at, last_used_at, suspect_since }| Row {
            id: id.0.to_string(),
            typed: name.clone(),
            name,
            added: When::new(created_at, me.now()),
            last_used: last_used_at.map(|at| When::new(at, me.now())),
            suspect_since: suspect_since.map(|at| When::new(at, me.now())),
            error: None,
        };
        let rows: Vec<Row> = ctx.accounts().passkeys(me).await?.into_iter().map(row).collect();
        let password = match (&factors.totp, rows.is_empty(), factors.on) {
            (Some(_), ..) => Password::App,
            (None, true, _) => Password::Choice,
            (None, false, true) => Password::Required,
            (None, false, false) => Password::Alone,
        };
        Ok(Self { work: ctx.accounts().passkeys_work(), rows, password })
    }

    /// Whether a name that was typed cannot be taken: the page says so.
    pub fn error(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.error.is_some())
    }
}

pub async fn start(me: Confirmed, ctx: Ctx, _: Json<Nothing>) -> Result<HttpResponse, Error> {
    match ctx.accounts().ask_for_new_passkey(me.0.clone(), ctx.binding()).await? {
        Ok(options) => Ok(HttpResponse::Ok().json(options)),
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

pub async fn finish(me: Confirmed, ctx: Ctx, made: Json<Attestation>) -> Result<HttpResponse, Error> {
    let step = PasskeyStep::parse(ctx.query("second_step")).unwrap_or(PasskeyStep::Required);
    match ctx.accounts().add_passkey(me.0.clone(), ctx.binding(), made.0, step, ctx.client()).await? {
        // The page has a form that makes recovery codes, which are only shown as the answer to one.
        Ok(added) => {
            let response = HttpResponse::Ok().json(json!({ "next": PAGE, "codes": added.wants_codes }));
            let said = match added.step {
                Some(PasskeyStep::Required) => Flash::PasskeyRequired,
                Some(PasskeyStep::Off) => Flash::PasskeyOptional,
                None => Flash::PasskeyAdded,
            };
            Ok(flash::with(response, said, &ctx.shared))
        }
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct NameForm {
    name: String,
}

impl Input for NameForm {}

pub async fn rename(
    me: Confirmed,
    ctx: Ctx,
    id: Id<PasskeyId>,
    form: Form<NameForm>,
) -> Result<HttpResponse, Error> {
    let name = match Name::parse(&form.input.name) {
        Ok(name) => name,
        Err(why) => {
            let mut page = SecurityPage::new(&me, &ctx).await?;
            let row = page.passkeys.rows.iter_mut().find(|row| row.id == id.0.0.to_string());
            let row = row.ok_or(Error::NotFound)?;
            (row.typed, row.error) = (form.input.name, Some(why.to_string()));
            return page::refused(&page);
        }
    };
    if !ctx.accounts().rename_passkey(me.0.clone(), id.0, name, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRenamed))
}

pub async fn remove(
    me: Confirmed,
    ctx: Ctx,
    id: Id<PasskeyId>,
    _: Form<Button>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().remove_passkey(me.0.clone(), id.0, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRemoved))
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct StepForm {
    second_step: String,
}

impl Input for StepForm {}

pub async fn set_step(me: Confirmed, ctx: Ctx, form: Form<StepForm>) -> Result<HttpResponse, Error> {
    let Some(step) = PasskeyStep::parse(&form.input.second_step) else {
        return Ok(ctx.redirect(PAGE, Flash::StepUnchanged));
    };
    match ctx.accounts().set_passkey_step(me.0.clone(), step, ctx.client()).await? {
        StepChange::Required(Some(codes)) => {
            let news = "From now on, logging in with your password also asks for a passkey.";
            recovery_codes::show(&me, &ctx, &codes, news, false).await
        }
        StepChange::Required(None) => Ok(ctx.redirect(PAGE, Flash::StepRequired)),
        StepChange::Off => Ok(ctx.redirect(PAGE, Flash::StepOff)),
        // The page with the codes was loaded again.
        StepChange::Unchanged if step == PasskeyStep::Required => Ok(ctx.redirect(PAGE, Flash::CodesShown)),
        StepChange::Unchanged => Ok(ctx.redirect(PAGE, Flash::StepUnchanged)),
    }
}
