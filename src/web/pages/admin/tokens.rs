//! Revokes an access token of a user.

use actix_web::HttpResponse;

use crate::identity::UserSession as _;
use crate::tokens::TokenId;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::Form;
use crate::web::http::path::{ById, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::session::guard::Admin;

/// Redirects to the page of the user, which has the button.
pub async fn revoke(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let (actor, tokens) = (Some(me.session.user_id()), &ctx.accounts().tokens);
    let revoked = tokens.revoke(actor, TokenId(id), ctx.client()).await?.ok_or(Error::NotFound)?;
    Ok(ctx.redirect(&format!("/admin/users/{}", revoked.user), Flash::TokenRevoked))
}
