//! Your passkeys: a part of the security page, and what is done there.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::recovery_codes;
use crate::factors::{Attestation, FactorStatus, Passkey, PasskeyId, PasskeyStep, PasskeyStepChange};
use crate::identity::Name;
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Form, Input, Preset, Text};
use crate::web::http::json::{Json, Nothing};
use crate::web::pages::account::security::SecurityPage;
use crate::web::pages::context::{Ctx, Id};
use crate::web::pages::view::When;
use crate::web::pages::{Button, page, passkeys};
use crate::web::session::guard::Confirmed;
use crate::web::session::receive::Draft;

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
    /// An authenticator app requires a second step, regardless of the choice for passkeys.
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
    /// Whether what is typed in it waits to be sent.
    pub open: bool,
}

impl Passkeys {
    pub async fn of(me: &Confirmed, ctx: &Ctx, factors: &FactorStatus) -> Result<Self, Error> {
        let row = |Passkey { id, name, created_at, last_used_at, suspect_since }| Row {
            id: id.0.to_string(),
            typed: name.clone(),
            name,
            added: When::new(created_at, me.now()),
            last_used: last_used_at.map(|at| When::new(at, me.now())),
            suspect_since: suspect_since.map(|at| When::new(at, me.now())),
            error: None,
            open: false,
        };
        let rows: Vec<Row> = ctx.accounts().factors.passkeys(me).await?.into_iter().map(row).collect();
        let password = match (&factors.totp, rows.is_empty(), factors.on) {
            (Some(_), ..) => Password::App,
            (None, true, _) => Password::Choice,
            (None, false, true) => Password::Required,
            (None, false, false) => Password::Alone,
        };
        Ok(Self { work: ctx.accounts().factors.passkeys_available(), rows, password })
    }

    /// The row of one passkey, with another name typed in it.
    fn open(&mut self, id: PasskeyId, typed: &str) -> Result<&mut Row, Error> {
        let row = self.rows.iter_mut().find(|row| row.id == id.0.to_string()).ok_or(Error::NotFound)?;
        (row.typed, row.open) = (typed.to_owned(), true);
        Ok(row)
    }

    /// Whether a name that was typed cannot be taken: the page says so.
    pub fn error(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.error.is_some())
    }
}

pub async fn start(me: Confirmed, ctx: Ctx, _: Json<Nothing>) -> Result<HttpResponse, Error> {
    match ctx.accounts().factors.start_passkey_registration(me.0.clone(), ctx.binding()).await? {
        Ok(options) => Ok(HttpResponse::Ok().json(options)),
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

pub async fn finish(me: Confirmed, ctx: Ctx, made: Json<Attestation>) -> Result<HttpResponse, Error> {
    let step = PasskeyStep::parse(&ctx.query("second_step")).unwrap_or(PasskeyStep::Required);
    match ctx
        .accounts()
        .factors
        .finish_passkey_registration(me.0.clone(), ctx.binding(), made.0, step, ctx.client())
        .await?
    {
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
#[serde(default)]
pub struct NameForm {
    name: Text,
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
            page.passkeys.open(id.0, &form.input.name)?.error = Some(why.to_string());
            return page::refused(&page);
        }
    };
    if !ctx.accounts().factors.rename_passkey(me.0.clone(), id.0, name, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRenamed))
}

/// With the name that was typed before the confirmation ran out.
pub async fn rename_again(
    me: Confirmed,
    ctx: Ctx,
    id: Id<PasskeyId>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    let mut page = SecurityPage::new(&me, &ctx).await?;
    page.passkeys.open(id.0, draft.0.value("name"))?;
    page::ok(&page)
}

pub async fn remove(
    me: Confirmed,
    ctx: Ctx,
    id: Id<PasskeyId>,
    _: Form<Button>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().factors.remove_passkey(me.0.clone(), id.0, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::PasskeyRemoved))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct StepForm {
    second_step: Preset,
}

impl Input for StepForm {}

pub async fn set_step(me: Confirmed, ctx: Ctx, form: Form<StepForm>) -> Result<HttpResponse, Error> {
    let Some(step) = PasskeyStep::parse(&form.input.second_step) else {
        return Ok(ctx.redirect(PAGE, Flash::StepUnchanged));
    };
    match ctx.accounts().factors.set_passkey_step(me.0.clone(), step, ctx.client()).await? {
        PasskeyStepChange::Required(Some(codes)) => {
            let news = "From now on, logging in with your password also asks for a passkey.";
            recovery_codes::show(&me, &ctx, &codes, news, false).await
        }
        PasskeyStepChange::Required(None) => Ok(ctx.redirect(PAGE, Flash::StepRequired)),
        PasskeyStepChange::Off => Ok(ctx.redirect(PAGE, Flash::StepOff)),
        // The page with the codes was loaded again.
        PasskeyStepChange::Unchanged if step == PasskeyStep::Required => {
            Ok(ctx.redirect(PAGE, Flash::CodesShown))
        }
        PasskeyStepChange::Unchanged => Ok(ctx.redirect(PAGE, Flash::StepUnchanged)),
    }
}
