//! Enters the app as a browser does: from the app's origin to the portal and back.

use super::app::ORIGIN;
use crate::lab::prove::ProveError;
use crate::lab::prove::error::Request;
use crate::lab::prove::http::{HttpConnection, ProbeAnswer};

/// Returns the cookie of the app's origin for the session with the cookie `portal`.
pub async fn enter(http: &mut HttpConnection, portal: &str) -> Result<String, ProveError> {
    let begun = redirected(http.navigate(&format!("{ORIGIN}/.latchkey/in?to=%2F"), "").await?)?;
    let allowed = redirected(http.navigate(&begun.location, portal).await?)?;
    let entered = redirected(http.navigate(&allowed.location, &begun.cookie).await?)?;
    Ok(entered.cookie)
}

fn redirected(answer: ProbeAnswer) -> Result<ProbeAnswer, ProveError> {
    if answer.status / 100 == 3 {
        Ok(answer)
    } else {
        Err(ProveError::unexpected(Request::Handoff, answer.status, answer.location))
    }
}
