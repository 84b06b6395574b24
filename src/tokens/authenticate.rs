//! Finds the token that a request presents, and limits guesses.

use std::time::Instant;

use crate::db::Failed;
use crate::identity::Client;
use crate::throttle::{RetryAfter, count_token_guess};
use crate::tokens::{LiveToken, TokenText, Tokens};
use latchkey_sessions::Use;

impl Tokens {
    /// Like [`Tokens::find`], and limits guesses. A well-formed token that is not live counts as a guess of the client's
    /// network, at most once a minute for the same text. After too many guesses the network has to wait; its live tokens
    /// are still accepted.
    pub async fn authenticate(
        &self,
        raw: &str,
        client: &Client,
        usage: Use,
    ) -> Result<Option<LiveToken>, Failed<RetryAfter>> {
        if let Some(live) = self.find(raw, usage).await? {
            return Ok(Some(live));
        }
        let Some(hash) = TokenText::hash_of(raw) else { return Ok(None) };
        let network = client.network();
        if !self.guesses.begin(hash, &network, Instant::now())? {
            return Ok(None);
        }
        let (throttle, client) = (self.throttle.clone(), client.clone());
        let counted = self.db.write_or_refuse(move |conn| count_token_guess(conn, &client, &throttle)).await;
        if let Err(Failed::Refused(wait)) = &counted {
            self.guesses.block(network, *wait, Instant::now());
        }
        counted.map(|()| None)
    }
}
