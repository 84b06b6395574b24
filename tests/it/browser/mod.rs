//! Tests that need a real browser: journeys, forms and keys, narrow screens, accessibility; and valid HTML.

mod compare;
mod every_page;
mod forms;
mod html;
mod journey;
mod long;
mod passkeys;
mod second_factor;
mod tour;
