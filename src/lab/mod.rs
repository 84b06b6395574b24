//! The lab behind `/compare`: one throw-away subject, known by a real session and by a real pair of JSON Web Tokens,
//! and the steps that show how the two differ. It returns codes and numbers; the pages in `web` word them.
//!
//! The lab never grants access to the product: its sessions are rows of another
//! [kind](latchkey_sessions::Owner::KIND), and its tokens are accepted by its own two checks only.

mod check;
pub mod jwt;
mod limits;
mod measurements;
mod memory_deny_list;
mod model;
mod outcome;
pub mod prove;
mod queries;
mod rows;
mod run;
mod runs;
mod service;
mod snapshot;
mod steps;
mod streams;
mod subject;
mod tokens;

pub use check::{Comparison, Reason, SourceLine, Verdict};
pub use limits::{RUN_LIFE, RunLimit, STREAM_LIFE, StreamLimit};
pub use measurements::{
    CheckCost, CheckKind, Cost, MeasurementStatus, Operation, OperationCost, RowWrites, Spread, Stopwatch,
};
pub use model::{DenyList, Holder, Service, Subject, SubjectRole};
pub use outcome::{HistoryEntry, LoggedStep, Outcome, RefreshRefusal};
pub use rows::{SessionRow, TokenRow};
pub use run::{CredentialSet, Credentials, Run};
pub use runs::NewRun;
pub use service::{ClientInfo, Lab};
pub use snapshot::Snapshot;
pub use steps::{Step, StepResult};
pub use streams::{
    EndCause, LabStreams, LineSource, OpenedStream, SessionGate, StreamEnding, StreamRecord, StreamRefusal,
    StreamSide,
};
pub use tokens::{ACCESS_TOKEN_LIFE, REFRESH_TOKEN_LIFE};
