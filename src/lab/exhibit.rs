//! What there is to see after a step: what the browser holds, what the server holds, and what the doors say.

use diesel::prelude::{Queryable, Selectable};

use super::{DenyList, Finding, Held, Holder, Lab, Run, queries};
use crate::db::Fault;
use crate::db::time::Moment;
use latchkey_sessions::schema::sessions;

/// Both sides, as they are now.
pub struct Exhibit {
    pub findings: Vec<Finding>,
    pub rows: Vec<SessionRow>,
    pub tokens: Vec<TokenRow>,
    /// Tokens in the memory of the shop.
    pub remembered: usize,
}

/// A session of the lab, as the table has it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct SessionRow {
    pub key_hash: Vec<u8>,
    pub created_at: Moment,
    pub last_seen_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
}

/// A token that was written down.
pub struct TokenRow {
    pub id: String,
    pub kind: String,
    pub used_at: Option<Moment>,
    pub denied_at: Option<Moment>,
}

impl Lab {
    /// Shows what the browser and the thief hold at every door there is.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: nobody is admitted.
    pub async fn exhibit(&self, run: &Run, held: &Held, copy: Option<&Held>) -> Result<Exhibit, Fault> {
        let mut findings = Vec::new();
        for service in run.services() {
            findings.push(self.ask(run, Holder::Browser, *service, held).await?);
        }
        if let Some(copy) = copy {
            for service in run.services() {
                findings.push(self.ask(run, Holder::Thief, *service, copy).await?);
            }
        }
        let id = run.id;
        let (rows, tokens) = self
            .db
            .read(move |conn| Ok((queries::session_rows_of(conn, id)?, queries::tokens_of(conn, id)?)))
            .await?;
        let remembered = if run.deny_list == DenyList::Memory { self.memory.count(run.id) } else { 0 };
        Ok(Exhibit { findings, rows, tokens, remembered })
    }
}
