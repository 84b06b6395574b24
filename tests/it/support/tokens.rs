//! Access tokens of the users in tests.

use std::time::Duration;

use latchkey::identity::{Client, UserId};
use latchkey::tokens::{CreatedToken, LiveToken, NewToken, RequestedScopes};
use latchkey_sessions::Use;
use uuid::Uuid;

use super::app::{Person, TestApp};
use super::browser::Browser;

const DAY: Duration = Duration::from_secs(86_400);

/// A token that the operator creates for a day, with a unique name.
pub fn new_token(person: &Person, scopes: &[&str]) -> NewToken {
    NewToken {
        user: UserId(person.id),
        name: format!("Program {}", Uuid::new_v4().simple()),
        scopes: RequestedScopes::parse(scopes.iter().copied()).expect("scopes"),
        lifetime: DAY,
        made_by: None,
    }
}

impl TestApp {
    /// Creates a token of `person` as the operator.
    pub async fn token(&self, person: &Person, scopes: &[&str]) -> CreatedToken {
        self.accounts.tokens.create(new_token(person, scopes), Client::operator()).await.expect("a token")
    }

    pub async fn find_token(&self, text: &str) -> Option<LiveToken> {
        self.accounts.tokens.find(text, Use::Background).await.expect("a database")
    }

    pub async fn accepts(&self, text: &str) -> bool {
        self.find_token(text).await.is_some()
    }
}

/// Creates a token on the page in `browser`, and returns its text.
pub async fn create_token(browser: &mut Browser, name: &str, fields: &[(&str, &str)]) -> String {
    let mut all = vec![("name", name), ("expires", "30d")];
    all.extend_from_slice(fields);
    let made = browser.fill_in("/account/tokens", &all).await;
    made.is(200).is_page("account/tokens/created");
    made.text("#token").expect("a token")
}
