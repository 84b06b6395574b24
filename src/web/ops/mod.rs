//! For operators and monitoring: health, metrics, and the query of the doctor.

pub mod doctor;
pub(super) mod health;
pub mod metrics;
mod own_process;
