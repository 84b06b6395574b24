//! Tests in a real browser: journeys, forms, keyboard, narrow screens, accessibility, and valid HTML.

pub mod apps;
mod compare;
mod every_page;
mod forms;
mod html;
mod journey;
mod long;
mod passkeys;
mod second_factor;
mod tour;
