//! What users read that is not part of a page's template: emails and the audit trail.

pub(in crate::web) mod audit;
pub mod mails;
pub(in crate::web) mod moments;
