//! Changes of a user by an administrator or the operator: name, role, state, and the end of all sessions.

use crate::audit::{AuditAction, EndedOf, EventDetail, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Name, Recipient, Role, UserId};
use crate::notices::{Notice, ProgramChange};
use crate::users::admin::{AdminRefusal, Administration, lock_for_change};
use crate::users::queries;
use crate::users::queries::UserRecord;
use latchkey_sessions::SessionTx;

/// What to change about a user; `None`: no change.
#[derive(Clone, Debug, Default)]
pub struct UserEdit {
    pub name: Option<Name>,
    pub disabled: Option<bool>,
    pub role: Option<Role>,
}

impl Administration {
    /// Changes a user in one transaction, for a program that acts for an administrator. A change of the role and whether an
    /// administrator is disabled are mailed to every administrator, because no administrator saw a page about it.
    ///
    /// * `when`: whether the caller expects this current state.
    pub async fn edit_user(
        &self,
        actor: UserId,
        user: UserId,
        edit: UserEdit,
        when: impl FnOnce(&UserRecord) -> bool + Send + 'static,
        client: Client,
    ) -> Result<UserRecord, Failed<AdminRefusal>> {
        let admin = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                let weakens =
                    edit.disabled == Some(true) || edit.role.is_some_and(|role| role != Role::Admin);
                lock_for_change(tx, user, weakens)?;
                let Some(before) = queries::user_record(tx, user)? else {
                    return refuse(AdminRefusal::NoSuchUser);
                };
                if !when(&before) {
                    return refuse(AdminRefusal::Changed);
                }
                // Those who stop to be administrators with this change are told as well.
                let mut told = queries::active_administrators(tx)?;
                let mut changes = Vec::new();
                let actor = Some(actor);
                if let Some(name) = edit.name.filter(|name| name.as_str() != before.name) {
                    queries::set_name(tx, user, &name)?;
                    NewEvent::by_admin(AuditAction::NameChanged, actor, user, &client)
                        .change(&before.name, name.as_str())
                        .write(tx)?;
                }
                if let Some(role) = edit.role
                    && admin.apply_role(tx, actor, user, role, &client)?
                {
                    changes.push(ProgramChange::Role(role));
                }
                if let Some(disabled) = edit.disabled
                    && admin.apply_disabled(tx, actor, user, disabled, &client)?
                    && (before.role == Role::Admin || edit.role == Some(Role::Admin))
                {
                    changes.push(if disabled { ProgramChange::Disabled } else { ProgramChange::Enabled });
                }
                if !changes.is_empty() {
                    let known: Vec<UserId> = told.iter().map(|administrator| administrator.id).collect();
                    let after = queries::active_administrators(tx)?.into_iter();
                    told.extend(after.filter(|administrator| !known.contains(&administrator.id)));
                    admin.notify_administrators(tx, &told, actor, (user, &changes), &client)?;
                }
                queries::user_record(tx, user)?.ok_or(Failed::Refused(AdminRefusal::NoSuchUser))
            })
            .await
    }

    /// Ends every session of a user, and revokes every token.
    ///
    /// * `when`: whether the caller expects this current state.
    pub async fn revoke_sessions_if(
        &self,
        actor: UserId,
        user: UserId,
        when: impl FnOnce(&UserRecord) -> bool + Send + 'static,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        let admin = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                lock_for_change(tx, user, false)?;
                let Some(before) = queries::user_record(tx, user)? else {
                    return refuse(AdminRefusal::NoSuchUser);
                };
                if !when(&before) {
                    return refuse(AdminRefusal::Changed);
                }
                admin.apply_end_of_sessions(tx, Some(actor), user, &client)?;
                Ok(())
            })
            .await
    }

    /// `false` if the user had the role already.
    pub(super) fn apply_role(
        &self,
        tx: &mut SessionTx<'_>,
        actor: Option<UserId>,
        user: UserId,
        role: Role,
        client: &Client,
    ) -> Result<bool, Fault> {
        let Some(before) = queries::set_role(tx, user, role)? else { return Ok(false) };
        NewEvent::by_admin(AuditAction::RoleChanged, actor, user, client)
            .change(&before, role.as_str())
            .write(tx)?;
        if role != Role::Admin {
            self.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Demote, user, client).by(actor))?;
        }
        Ok(true)
    }

    /// `false` if the user was in this state already.
    pub(super) fn apply_disabled(
        &self,
        tx: &mut SessionTx<'_>,
        actor: Option<UserId>,
        user: UserId,
        disabled: bool,
        client: &Client,
    ) -> Result<bool, Fault> {
        if !queries::set_disabled(tx, user, disabled)? {
            return Ok(false);
        }
        if disabled {
            self.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Disable, user, client).by(actor))?;
        }
        let action = if disabled { AuditAction::Disabled } else { AuditAction::Enabled };
        NewEvent::by_admin(action, actor, user, client).write(tx)?;
        Ok(true)
    }

    pub(super) fn apply_end_of_sessions(
        &self,
        tx: &mut SessionTx<'_>,
        actor: Option<UserId>,
        user: UserId,
        client: &Client,
    ) -> Result<(), Fault> {
        let request = CleanupRequest::new(Cleanup::AdminEndsAll, user, client).by(actor);
        let ended = self.cleaner.clean_up(tx, &request)?.sessions;
        if ended == 0 {
            return Ok(());
        }
        NewEvent::by_admin(AuditAction::SessionsRevoked, actor, user, client)
            .data(&EventDetail::EndedSessions { ended, whose: EndedOf::User })
            .write(tx)
    }

    fn notify_administrators(
        &self,
        tx: &mut SessionTx<'_>,
        administrators: &[Recipient],
        actor: Option<UserId>,
        (user, changes): (UserId, &[ProgramChange]),
        client: &Client,
    ) -> Result<(), Fault> {
        let email = |tx: &mut SessionTx<'_>, user| crate::identity::queries::email_of(tx, user);
        let by = actor.map(|actor| email(tx, actor)).transpose()?.flatten();
        let (Some(changed), Some(by)) = (email(tx, user)?, by) else { return Ok(()) };
        for administrator in administrators {
            for change in changes {
                let notice = Notice::ChangedByProgram { user, email: &changed, change: *change, by: &by };
                self.notices.send_notice(tx, administrator, &notice, client)?;
            }
        }
        Ok(())
    }
}
