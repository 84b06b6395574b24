//! Adds and removes groups, and changes their notes.

use diesel::pg::PgConnection;
use serde_json::json;

use crate::audit::{AuditAction, EventDetail, FieldChange, NewEvent};
use crate::config::AppBounds;
use crate::db::{Failed, Fault, refuse};
use crate::groups::queries::GroupRow;
use crate::groups::{Groups, queries};
use crate::identity::{Client, GroupName, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRefusal {
    NoSuchGroup,
    Taken,
    /// Rules of these apps name the group.
    InUse(Vec<String>),
    NoSuchUser,
    /// The group is not in the state that the caller expects.
    Changed,
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
                Ok(record_note(conn, AuditAction::GroupAdded, actor, &name, None, &note, &client)?)
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
                Ok(record_note(conn, AuditAction::GroupChanged, actor, &name, Some(&before), &note, &client)?)
            })
            .await
    }

    /// Adds the group, or sets its note; returns it, and whether it was added.
    ///
    /// * `when`: whether the caller expects this current state; `None`: the group does not exist.
    pub async fn put(
        &self,
        actor: Option<UserId>,
        name: GroupName,
        note: &str,
        when: impl Fn(Option<&GroupRow>) -> bool + Send + 'static,
        client: Client,
    ) -> Result<(GroupRow, bool), Failed<GroupRefusal>> {
        let note = checked(note)?;
        self.db
            .write_or_refuse(move |conn| {
                let mut before = locked(conn, &name)?;
                if !when(before.as_ref()) {
                    return refuse(GroupRefusal::Changed);
                }
                if before.is_none() && !queries::insert_group(conn, &name, &note)? {
                    // Another transaction has added it at the same time.
                    before = locked(conn, &name)?;
                    if !when(before.as_ref()) {
                        return refuse(GroupRefusal::Changed);
                    }
                }
                match &before {
                    None => record_note(conn, AuditAction::GroupAdded, actor, &name, None, &note, &client)?,
                    Some(before) if before.note == note => {}
                    Some(before) => {
                        queries::set_note(conn, &name, &note)?;
                        let from = Some(before.note.as_str());
                        record_note(conn, AuditAction::GroupChanged, actor, &name, from, &note, &client)?;
                    }
                }
                let after = queries::groups(conn, Some(&name))?.pop();
                Ok((after.ok_or(Failed::Refused(GroupRefusal::NoSuchGroup))?, before.is_none()))
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
        self.remove_if(actor, name, |_| true, client).await
    }

    /// The same, if the group is in the state that the caller expects.
    pub async fn remove_if(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        when: impl FnOnce(&GroupRow) -> bool + Send + 'static,
        client: Client,
    ) -> Result<(), Failed<GroupRefusal>> {
        let name = name.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                if queries::lock_group(tx, &name)?.is_none() {
                    return refuse(GroupRefusal::NoSuchGroup);
                }
                if queries::groups(tx, Some(&name))?.pop().is_some_and(|group| !when(&group)) {
                    return refuse(GroupRefusal::Changed);
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

/// A group that no other transaction can change now.
fn locked(conn: &mut PgConnection, name: &GroupName) -> Result<Option<GroupRow>, Fault> {
    match queries::lock_group(conn, name)? {
        Some(_) => Ok(queries::groups(conn, Some(name))?.pop()),
        None => Ok(None),
    }
}

/// Records the note of a group before and after a change.
fn record_note(
    conn: &mut PgConnection,
    action: AuditAction,
    actor: Option<UserId>,
    name: &GroupName,
    from: Option<&str>,
    to: &str,
    client: &Client,
) -> Result<(), Fault> {
    let note = FieldChange { field: "note".into(), from: json!(from), to: json!(to) };
    NewEvent::by_administration(action, actor, client)
        .data(&EventDetail::Group { group: name.to_string(), note: Some(note) })
        .write(conn)
}

fn checked(note: &str) -> Result<String, Failed<GroupRefusal>> {
    let note = note.trim();
    match note.chars().count() > AppBounds::NOTE {
        true => refuse(GroupRefusal::NoteTooLong { max: AppBounds::NOTE }),
        false => Ok(note.to_owned()),
    }
}
