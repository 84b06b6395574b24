//! For operators and their machines: health, metrics, the doctor's question.

pub mod doctor;
pub(super) mod health;
pub mod metrics;
mod own_process;
