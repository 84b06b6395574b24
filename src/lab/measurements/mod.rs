//! What the stopwatch and the cost measurement share: one measurement at a time, the last result of each, and a run of
//! their own that is deleted in every case.

mod cost;
mod figures;
mod instances;
mod queries;
mod results;
mod stopwatch;

use std::sync::Arc;
use std::time::Instant;

use actix_web::rt;

use super::{ClientInfo, Lab, Run, queries as lab_queries};
use crate::db::Fault;
use crate::secret::Token;
use latchkey_sessions::NewSession;
use results::{LastResult, RETRY_AFTER, acquire_permit};

pub use figures::{CheckCost, CheckKind, Cost, Operation, OperationCost, RowWrites, Spread, Stopwatch};
pub(super) use results::MeasurementResults;

/// Stored in place of a network: marks the run of a measurement.
const MEASUREMENT: &str = "measurement";

/// The answer to a request for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementStatus {
    /// There is a result: measured now or shortly before.
    Available,
    /// Another measurement runs and there is no result yet.
    Busy { retry_after: u64 },
}

impl Lab {
    pub fn last_stopwatch(&self) -> Option<(Arc<Stopwatch>, Instant)> {
        self.results.stopwatch.get()
    }

    pub fn last_cost(&self) -> Option<(Arc<Cost>, Instant)> {
        self.results.cost.get()
    }

    /// Measures how long a revocation takes, unless there is a recent result.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result is kept.
    pub async fn request_stopwatch(&self) -> Result<MeasurementStatus, Fault> {
        let lab = self.clone();
        self.request(&self.results.stopwatch, async move {
            lab.results.stopwatch.set(lab.time_revocations().await?);
            Ok(())
        })
        .await
    }

    /// Measures what each side costs, unless there is a recent result.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result is kept.
    pub async fn request_cost(&self) -> Result<MeasurementStatus, Fault> {
        let lab = self.clone();
        self.request(&self.results.cost, async move {
            lab.results.cost.set(lab.measure_cost().await?);
            Ok(())
        })
        .await
    }

    async fn request<T>(
        &self,
        last: &LastResult<T>,
        measurement: impl Future<Output = Result<(), Fault>> + 'static,
    ) -> Result<MeasurementStatus, Fault> {
        let busy = MeasurementStatus::Busy { retry_after: RETRY_AFTER };
        let Some(permit) = acquire_permit(&self.results) else {
            return Ok(if last.get().is_some() { MeasurementStatus::Available } else { busy });
        };
        if last.is_fresh() {
            return Ok(MeasurementStatus::Available);
        }
        if !last.start_attempt() {
            return Ok(busy);
        }
        // A task of its own, so that the clean-up also runs if the client disconnects.
        let measured = rt::spawn(async move {
            let _permit = permit;
            measurement.await
        });
        measured.await.map_err(Fault::bug)??;
        Ok(MeasurementStatus::Available)
    }

    /// Opens a run for a measurement, and deletes it afterwards even if the measurement fails.
    pub(super) async fn with_run<T>(
        &self,
        work: impl AsyncFnOnce(&Run) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // The key is discarded: this run is found by its id.
        let hash = Token::generate()?.hash();
        let run = self.db.write(move |conn| lab_queries::insert(conn, &hash, MEASUREMENT)).await?;
        let answer = work(&run).await;
        let id = run.id;
        let ended = self.db.write(move |conn| lab_queries::delete(conn, id)).await;
        let value = answer?;
        ended?;
        Ok(value)
    }

    pub(super) fn login_of(&self, run: &Run) -> NewSession {
        ClientInfo::default().login(run, MEASUREMENT)
    }
}
