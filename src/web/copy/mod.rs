//! What users read: each sentence that is not part of a template, with the code that names it. One directory a
//! language.
//!
//! # Codes on a page
//! Tests compare codes, so a better sentence breaks none of them. Every code is the kebab-case name of the enum variant
//! that it stands for, and a page carries it in one of these attributes:
//!
//! | attribute | on | code |
//! |---|---|---|
//! | `data-page` | `<main>` | the template, as in `account/sessions` |
//! | `data-error` | the heading of an error page | [`errors::ErrorCode`] |
//! | `data-flash` | a message that the request before left | [`flash::Flash`] |
//! | `data-refusal` | the reason why a form was refused | a refusal, as in `too-short` ([`refusals`]) |
//! | `data-notice` | another sentence that depends on a state | as in `session-revoked` |
//! | `data-event` | a row of the audit trail | the stored action |
//! | `data-state` | the state of a user or an invitation | as in `disabled` |
//! | `data-others`, `data-codes-left` | a sentence about other sessions, or recovery codes | how many |
//! | `data-pager` | the pager of a list | total, page and pages, as in `60 1/3` |
//!
//! A problem document for a script has the same code in its member `code`.

pub mod access;
pub(super) mod api;
pub(super) mod app_choices;
pub mod app_file;
pub(super) mod app_refusals;
pub(super) mod audit;
mod changes;
pub(super) mod errors;
pub(super) mod flash;
pub(super) mod front;
mod labels;
pub(super) mod links;
pub mod mails;
pub(super) mod moments;
pub(super) mod notices;
pub mod phrase;
pub mod problem_codes;
pub mod proxy_config;
pub(super) mod refusals;
pub mod tokens;
