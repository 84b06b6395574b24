//! For operators and monitoring: health, metrics, and the questions of the doctor.

pub mod app_decision;
pub mod app_question;
pub mod doctor;
pub(super) mod health;
pub mod metrics;
mod own_process;
mod signed_answer;
