//! Finds the user that an operator names.

use super::Failure;
use crate::accounts::Accounts;
use crate::identity::{Email, UserId};

pub async fn find_user(accounts: &Accounts, email: &str) -> Result<UserId, Failure> {
    let address = Email::parse(email).map_err(|_| format!("{email:?} is not an email address"))?;
    let user = accounts.admin.user_id(&address).await?;
    user.ok_or_else(|| format!("there is no user {email}").into())
}
