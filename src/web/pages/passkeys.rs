//! A passkey proves who somebody is: to log in, or in a session to confirm it.

use actix_web::HttpResponse;
use serde_json::json;

use crate::factors::{Assertion, PasskeyRefusal};
use crate::login::{OpenedSession, PendingHash};
use crate::web::http::error::{Error, with_next};
use crate::web::http::flash::{self, Flash};
use crate::web::http::json::{self, Json, Nothing};
use crate::web::http::return_to;
use crate::web::pages::context::Ctx;
use crate::web::session::current_session;
use crate::web::session::guard::Visitor;

/// What to ask the browser for. Whoever is logged in already is only asked for passkeys of their own.
pub async fn start(visitor: Visitor, ctx: Ctx, _: Json<Nothing>) -> Result<HttpResponse, Error> {
    let user = match (visitor.0, pending(&ctx)) {
        (Some(live), _) => Some(live.owner.id),
        (None, Some(key)) => match ctx.accounts().login.pending_login_user(key).await? {
            None => return Ok(begin_anew(&ctx)),
            user => user,
        },
        (None, None) => None,
    };
    match ctx.accounts().login.start_passkey_authentication(user, ctx.binding(), ctx.client()).await? {
        Ok(options) => Ok(HttpResponse::Ok().json(options)),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// Where the browser goes then stands in the answer: a script cannot be redirected to a page.
pub async fn finish(visitor: Visitor, ctx: Ctx, answer: Json<Assertion>) -> Result<HttpResponse, Error> {
    let (accounts, binding, client) = (ctx.accounts(), ctx.binding(), ctx.client());
    let refusal = match (visitor.0, pending(&ctx)) {
        (Some(live), _) => {
            match accounts.login.confirm_with_passkey(live.clone(), binding, answer.0, client).await? {
                Ok(key) => {
                    current_session::rotated(&ctx.request, &ctx.shared, &live, key);
                    return Ok(go_on(&ctx));
                }
                Err(refusal) => refusal,
            }
        }
        (None, Some(key)) => {
            match accounts.login.finish_login_with_passkey(key, binding, answer.0, client).await? {
                Ok(opened) => {
                    return begin(&ctx, opened);
                }
                Err(refusal) => refusal,
            }
        }
        (None, None) => {
            let remember = !ctx.query("remember").is_empty();
            match accounts.login.log_in_with_passkey(binding, answer.0, remember, client).await? {
                Ok(opened) => {
                    return begin(&ctx, opened);
                }
                Err(refusal) => refusal,
            }
        }
    };
    match refusal {
        // Another request of this browser may have won and brought the new key: `next` will show.
        PasskeyRefusal::SessionLost => Ok(go_on(&ctx)),
        PasskeyRefusal::PendingLoginGone => Ok(begin_anew(&ctx)),
        refusal => Ok(refused(&refusal)),
    }
}

/// The log-in that waits for its second step, where the page says that it is about that.
fn pending(ctx: &Ctx) -> Option<PendingHash> {
    if ctx.query("as") != "second-factor" {
        return None;
    }
    current_session::pending_key(&ctx.request, &ctx.shared)
}

/// As the page of the second step does.
fn begin_anew(ctx: &Ctx) -> HttpResponse {
    let log_in = with_next("/login", return_to::safe(&ctx.query("next")));
    flash::with(HttpResponse::Ok().json(json!({ "next": log_in })), Flash::LogInExpired, &ctx.shared)
}

fn begin(ctx: &Ctx, opened: OpenedSession) -> Result<HttpResponse, Error> {
    let restored = opened.deletion_cancelled;
    current_session::begin(&ctx.request, &ctx.shared, opened)?;
    Ok(if restored { flash::with(go_on(ctx), Flash::Restored, &ctx.shared) } else { go_on(ctx) })
}

fn go_on(ctx: &Ctx) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "next": return_to::safe(&ctx.query("next")).unwrap_or("/home") }))
}

pub fn refused(refusal: &PasskeyRefusal) -> HttpResponse {
    json::refused(match refusal {
        PasskeyRefusal::TooMany(wait) => return json::too_many(*wait),
        PasskeyRefusal::Unavailable => "Passkeys do not work at this address. Use another way.",
        PasskeyRefusal::Expired => "That took too long. Try once more.",
        // Nobody learns whether it was removed or its account disabled.
        PasskeyRefusal::Unknown => {
            "This passkey does not open anything here. Use another one, or another way."
        }
        PasskeyRefusal::NotVerified => {
            "Your device did not check that it is you. Set up a PIN, fingerprint or face on it, then try again."
        }
        PasskeyRefusal::Invalid => "This passkey could not be checked. Try again, or use another way.",
        PasskeyRefusal::PossiblyCloned => {
            "There may be a copy of this passkey, so it does not let anybody in. Use another way, then remove it."
        }
        PasskeyRefusal::AlreadyRegistered => "This device has a passkey for Latchkey already.",
        PasskeyRefusal::LimitReached => {
            "You have as many passkeys as one account can hold. Remove one first."
        }
        PasskeyRefusal::PendingLoginGone => "That took too long. Log in once more.",
        PasskeyRefusal::SessionLost => {
            "Something else happened in this session meanwhile. Load the page again."
        }
    })
}
