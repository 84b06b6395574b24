//! Opening, finding and ending runs.

use uuid::Uuid;

use super::limits::RunLimit;
use super::outcome::Outcome;
use super::queries;
use super::run::{CredentialSet, Run};
use super::service::{ClientInfo, Lab};
use crate::db::{Db, Failed, Fault, refuse};
use crate::secret::Token;
use latchkey_sessions::SessionTx;

/// A run that was just opened: what its browser receives.
pub struct NewRun {
    pub key: Token,
    pub credentials: CredentialSet,
}

impl Lab {
    /// Makes a subject and logs it in on both sides. `network` is the visitor's, as throttles count them; `previous`
    /// is the visitor's run that this one replaces.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; [`RunLimit`], a refusal, if too many runs are open.
    pub async fn begin(
        &self,
        network: String,
        client: ClientInfo,
        previous: Option<Uuid>,
    ) -> Result<NewRun, Failed<RunLimit>> {
        let key = Token::generate().map_err(Fault::from)?;
        let hash = key.hash();
        let lab = self.clone();
        let credentials = self
            .product
            .write_or_refuse(move |change| {
                queries::delete_expired(change)?;
                if let Some(limit) = queries::reached_limit(change, &network)? {
                    return refuse(limit);
                }
                if let Some(previous) = previous {
                    change.invalidates();
                    queries::close(change, previous)?;
                }
                let run = queries::insert(change, &hash, &network)?;
                let credentials = lab.log_in(change, &run, &client)?;
                queries::append_to_history(change, &run, Outcome::Opened)?;
                Ok(credentials)
            })
            .await?;
        if let Some(previous) = previous {
            self.streams.forget(previous);
        }
        Ok(NewRun { key, credentials })
    }

    /// The run with this key, unless it is over.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn find(&self, key: &str) -> Result<Option<Run>, Fault> {
        let Some(hash) = Token::hash_of(key) else { return Ok(None) };
        self.db.read(move |conn| queries::find(conn, &hash)).await
    }

    /// Ends a run early.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn end(&self, run: &Run) -> Result<(), Fault> {
        self.memory_deny_list.clear(run.id);
        let id = run.id;
        self.product
            .write(move |change| {
                change.invalidates();
                queries::close(change, id)
            })
            .await?;
        self.streams.forget(id);
        Ok(())
    }

    /// Deletes the runs that are over, and returns how many.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn delete_expired(&self) -> Result<usize, Fault> {
        self.memory_deny_list.delete_expired();
        self.streams.forget_expired();
        self.db.write(queries::delete_expired).await
    }

    /// Deletes every run, and returns how many there were: for an instance on which the lab is switched off, so that
    /// no IP address stays behind.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn delete_all(db: &Db) -> Result<usize, Fault> {
        db.write(queries::delete_all).await
    }

    pub(super) fn log_in(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        client: &ClientInfo,
    ) -> Result<CredentialSet, Fault> {
        let (key, _) = self.sessions.open(change, &client.login(run, "lab"))?;
        let (access, refresh) = self.issue(change, run, Uuid::new_v4())?;
        Ok(CredentialSet {
            session: Some(self.signer.sign(key.reveal())),
            access: Some(access),
            refresh: Some(refresh),
        })
    }
}
