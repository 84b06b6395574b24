//! Adds and removes groups, and changes their notes.

use serde_json::json;

use crate::audit::{AuditAction, EventDetail, FieldChange, NewEvent};
use crate::config::AppBounds;
use crate::db::{Failed, refuse};
use crate::groups::{Groups, queries};
use crate::identity::{Client, GroupName, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRefusal {
    NoSuchGroup,
    Taken,
    /// Rules of these apps name the group.
    InUse(Vec<String>),
    NoSuchUser,
    NoteTooLong {
        max: usize,
    },
}

impl Groups {
    /// * `actor`: the administrator; `None`: the operator on the command line.
    pub async fn add(
        &self,
        actor: Option<UserId>,
        name: GroupName,
        note: &str,
        client: Client,
    ) -> Result<(), Failed<GroupRefusal>> {
        let note = checked(note)?;
        self.db
            .write_or_refuse(move |conn| {
                if !queries::insert_group(conn, &name, &note)? {
                    return refuse(GroupRefusal::Taken);
                }
                let note = FieldChange { field: "note".into(), from: json!(null), to: json!(note) };
                NewEvent::by_administration(AuditAction::GroupAdded, actor, &client)
                    .data(&EventDetail::Group { group: name.to_string(), note: Some(note) })
                    .write(conn)?;
                Ok(())
            })
            .await
    }

    pub async fn set_note(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        note: &str,
        client: Client,
    ) -> Result<(), Failed<GroupRefusal>> {
        let (name, note) = (name.clone(), checked(note)?);
        self.db
            .write_or_refuse(move |conn| {
                let Some(before) = queries::lock_group(conn, &name)? else {
                    return refuse(GroupRefusal::NoSuchGroup);
                };
                if before == note {
                    return Ok(());
                }
                queries::set_note(conn, &name, &note)?;
                let note = FieldChange { field: "note".into(), from: json!(before), to: json!(note) };
                NewEvent::by_administration(AuditAction::GroupChanged, actor, &client)
                    .data(&EventDetail::Group { group: name.to_string(), note: Some(note) })
                    .write(conn)?;
                Ok(())
            })
            .await
    }

    /// Removes a group that no rule names. If a rule named it, its removal would change what the rule means. Returns
    /// when no instance counts anyone as a member any more.
    pub async fn remove(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        client: Client,
    ) -> Result<(), Failed<GroupRefusal>> {
        let name = name.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                if queries::lock_group(tx, &name)?.is_none() {
                    return refuse(GroupRefusal::NoSuchGroup);
                }
                let used_by = queries::users_of(tx, &name)?;
                if !used_by.is_empty() {
                    return refuse(GroupRefusal::InUse(used_by));
                }
                queries::delete_group(tx, &name)?;
                tx.invalidates();
                NewEvent::by_administration(AuditAction::GroupRemoved, actor, &client)
                    .data(&EventDetail::Group { group: name.to_string(), note: None })
                    .write(tx)?;
                Ok(())
            })
            .await
    }
}

fn checked(note: &str) -> Result<String, Failed<GroupRefusal>> {
    let note = note.trim();
    match note.chars().count() > AppBounds::NOTE {
        true => refuse(GroupRefusal::NoteTooLong { max: AppBounds::NOTE }),
        false => Ok(note.to_owned()),
    }
}
