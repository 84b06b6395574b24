//! The pages. A handler parses, calls one operation, and answers. Each file is named after a noun, like its template
//! and its test.

pub mod account;
pub mod admin;
pub mod api_reference;
pub mod compare;
pub mod confirm;
pub mod context;
pub mod dev;
pub mod error_page;
pub mod go;
pub mod home;
pub mod links;
pub mod log_in;
pub mod log_out;
pub mod mailed_link;
pub mod page;
pub mod passkeys;
pub mod qr;
pub mod register;
pub mod registration_cookie;
pub mod reset_password;
pub mod second_factor;
pub mod setup;
pub mod view;

use crate::web::http::form::FormInput;

/// A form without fields of its own.
#[derive(serde::Deserialize)]
pub struct NoFields {}

impl FormInput for NoFields {}
