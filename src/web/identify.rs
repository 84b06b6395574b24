//! Who asks for a page: the session of the cookie, read and not written.
//!
//! actix-session reads its map eagerly and writes it back, for forms that begin, rotate or end a session. A page only
//! wants to know who is there, so it is not led through that: same cookie, same key, same sessions, without the map.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::error::Error;
use super::{Shared, cookie, current_session};

pub async fn identify<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let Some(shared) = request.app_data::<Data<Shared>>() else { return next.call(request).await };
    let Some(signed) = cookie::value(request.headers(), &shared.cookie.session) else {
        return next.call(request).await;
    };
    let Some(opened) = shared.signer.open(&signed) else { return next.call(request).await };
    let live = shared.accounts.sessions().load(opened.value).await.map_err(Error::Fault)?;
    // Signed with the secret before: the browser gets it anew, so that that one can go.
    let resigned = (live.is_some() && !opened.is_current)
        .then(|| current_session::key_cookie(shared, shared.signer.sign(opened.value)));
    drop(signed);
    let mut response = next.call(request).await?;
    if let Some(cookie) = resigned {
        current_session::give(&mut response, cookie);
    }
    Ok(response)
}
