//! Who asks for a page: the session of the cookie, read and not written.
//!
//! actix-session reads its map eagerly and writes it back, for forms that begin, rotate or end a session. A page only
//! wants to know who is there, so it is not led through that: same cookie, same key, same sessions, without the map.

use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse, fn_service};
use actix_web::web::Data;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder};

use crate::web::Shared;
use crate::web::http::cookies;
use crate::web::http::error::Error;
use crate::web::session::current_session;

/// `handler` as a service that knows its visitor before it reads any of its arguments, so that guards need not wait.
pub fn before<H, Args>(
    handler: H,
) -> impl ServiceFactory<
    ServiceRequest,
    Config = (),
    Response = ServiceResponse,
    Error = actix_web::Error,
    InitError = (),
>
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    fn_service(move |request: ServiceRequest| {
        let handler = handler.clone();
        async move {
            let (request, mut payload) = request.into_parts();
            let resigned = identify(&request).await?;
            let answer = match Args::from_request(&request, &mut payload).await {
                Err(denied) => HttpResponse::from_error(denied),
                Ok(args) => handler.call(args).await.respond_to(&request).map_into_boxed_body(),
            };
            let mut response = ServiceResponse::new(request, answer);
            if let Some(cookie) = resigned {
                current_session::give(&mut response, cookie);
            }
            Ok(response)
        }
    })
}

/// Looks the session up again, for a request that took its time to arrive: from memory while the lease holds. A session
/// that ended meanwhile is there no more. Neither is one whose key was rotated: by the key alone the owner, in another
/// tab, cannot be told from a thief.
pub async fn again(request: &HttpRequest) -> Result<(), Error> {
    identify(request).await.map(drop)
}

/// Loads the session of the cookie for [`current::live`](super::visit::live). Answers the cookie anew where it was
/// signed with the secret before, so that that one can go.
async fn identify(request: &HttpRequest) -> Result<Option<Cookie<'static>>, Error> {
    let Some(shared) = request.app_data::<Data<Shared>>() else { return Ok(None) };
    let Some(signed) = cookies::value(request.headers(), &shared.cookie.session) else { return Ok(None) };
    let Some(opened) = shared.signer.open(&signed) else { return Ok(None) };
    let live = shared.accounts.sessions().load_for_request(opened.value).await?;
    Ok((live.is_some() && !opened.is_current)
        .then(|| current_session::key_cookie(shared, shared.signer.sign(opened.value))))
}
