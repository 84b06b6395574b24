//! Groups of users: list and create them, change their members.

pub mod list;
pub mod members;
pub mod show;

use crate::groups::GroupRow;
use crate::identity::GroupName;
use crate::web::http::error::Error;

pub struct GroupView {
    pub name: String,
    pub note: String,
    pub members: i64,
    /// The short names of the apps whose rules name the group.
    pub apps: Vec<String>,
}

impl From<GroupRow> for GroupView {
    fn from(row: GroupRow) -> Self {
        Self { name: row.name.to_string(), note: row.note, members: row.members, apps: row.used_by }
    }
}

/// The group name in a path. Text that cannot be a group name is not found.
fn named(text: &str) -> Result<GroupName, Error> {
    GroupName::parse(text).map_err(|_| Error::NotFound)
}
