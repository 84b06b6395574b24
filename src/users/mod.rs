//! What users do with their own account, and administrators with the accounts of others.

mod admin;
mod change_email;
mod change_password;
mod delete_account;
mod edit_user;
mod export;
mod profile;
mod queries;
mod records;
mod service;

pub use admin::{AdminRefusal, Administration, UserDetails};
pub use change_email::ChangeEmailRefusal;
pub use change_password::ChangePasswordRefusal;
pub use delete_account::DeleteAccountRefusal;
pub use edit_user::UserEdit;
pub use queries::{
    DailyFigures, DayCount, SessionFilter, SessionOfUser, UserFilter, UserKey, UserOrder, UserRecord,
    UserRow, UserState,
};
pub use service::Users;
