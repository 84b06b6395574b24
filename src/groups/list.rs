//! Reads groups for pages and commands.

use crate::db::Fault;
use crate::groups::queries::{GroupRow, MemberRow};
use crate::groups::{Groups, queries};
use crate::identity::{GroupName, UserId};

/// A group with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDetails {
    pub row: GroupRow,
    pub members: Vec<MemberRow>,
}

impl Groups {
    /// All groups, by name.
    pub async fn list(&self) -> Result<Vec<GroupRow>, Fault> {
        self.db.read(|conn| queries::groups(conn, None)).await
    }

    pub async fn find(&self, name: &GroupName) -> Result<Option<GroupDetails>, Fault> {
        let name = name.clone();
        self.db
            .read(move |conn| {
                let Some(row) = queries::groups(conn, Some(&name))?.pop() else { return Ok(None) };
                Ok(Some(GroupDetails { members: queries::members(conn, &name)?, row }))
            })
            .await
    }

    /// Groups by name: `limit` of them after `after`.
    pub async fn page(&self, after: Option<String>, limit: i64) -> Result<Vec<GroupRow>, Fault> {
        self.db.read(move |conn| queries::groups_after(conn, after.as_deref(), limit)).await
    }

    /// A group without its members.
    pub async fn row(&self, name: &GroupName) -> Result<Option<GroupRow>, Fault> {
        let name = name.clone();
        self.db.read(move |conn| Ok(queries::groups(conn, Some(&name))?.pop())).await
    }

    /// The groups of a user, by name.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<GroupName>, Fault> {
        self.db.read(move |conn| queries::groups_of(conn, user)).await
    }
}
