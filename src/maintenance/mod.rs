//! What runs beside the requests, or when the operator asks: delete expired rows, fill in missing keys of addresses, scan
//! the database for secrets.

mod email_keys;
mod purge;
mod queries;
mod secret_scan;
mod service;

pub use email_keys::IdnKeyCounts;
pub use purge::SealCounts;
pub use queries::LastPurge;
pub use secret_scan::{ColumnKind, ScannedColumn};
pub use service::Maintenance;
