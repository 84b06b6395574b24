//! Users join and leave groups. Both return when no instance decides by the old membership any more.

use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::db::{Failed, refuse};
use crate::groups::{GroupRefusal, Groups, queries};
use crate::identity::{Client, GroupName, UserId};

impl Groups {
    /// Adds a member; `false` if the user is one already.
    pub async fn join(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        user: UserId,
        client: Client,
    ) -> Result<bool, Failed<GroupRefusal>> {
        self.change(actor, name, user, client, true).await
    }

    /// Removes a member; `false` if the user is not a member.
    pub async fn leave(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        user: UserId,
        client: Client,
    ) -> Result<bool, Failed<GroupRefusal>> {
        self.change(actor, name, user, client, false).await
    }

    async fn change(
        &self,
        actor: Option<UserId>,
        name: &GroupName,
        user: UserId,
        client: Client,
        joins: bool,
    ) -> Result<bool, Failed<GroupRefusal>> {
        let name = name.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                // Locks users before groups, in the same order as the deletion of an account.
                if !crate::identity::queries::lock_user(tx, user)? {
                    return refuse(GroupRefusal::NoSuchUser);
                }
                if queries::lock_group(tx, &name)?.is_none() {
                    return refuse(GroupRefusal::NoSuchGroup);
                }
                let (changed, action) = match joins {
                    true => (queries::insert_member(tx, &name, user, actor)?, AuditAction::GroupJoined),
                    false => (queries::delete_member(tx, &name, user)?, AuditAction::GroupLeft),
                };
                if changed {
                    tx.invalidates();
                    NewEvent::by_admin(action, actor, user, &client)
                        .data(&EventDetail::Group { group: name.to_string(), note: None })
                        .write(tx)?;
                }
                Ok(changed)
            })
            .await
    }
}
