//! Tests that need a real browser: journeys, forms and keys, narrow screens, accessibility; and valid HTML.

mod axe;
mod compare;
mod forms;
mod html;
mod journey;
mod long;
mod narrow;
mod passkeys;
mod second_factor;
mod tour;
