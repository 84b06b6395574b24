//! Changes of a user by an administrator or the operator: name, role, state, and the end of all sessions.

use crate::audit::{AuditAction, EndedOf, EventDetail, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Name, Role, UserId};
use crate::notices::Notice;
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
    /// Changes a user in one transaction, for a program that acts for an administrator. A change of the role is mailed to
    /// every administrator, because no administrator saw a page about it.
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
                    admin.notify_administrators(tx, actor, user, role, &client)?;
                }
                if let Some(disabled) = edit.disabled {
                    admin.apply_disabled(tx, actor, user, disabled, &client)?;
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

    pub(super) fn apply_disabled(
        &self,
        tx: &mut SessionTx<'_>,
        actor: Option<UserId>,
        user: UserId,
        disabled: bool,
        client: &Client,
    ) -> Result<(), Fault> {
        if !queries::set_disabled(tx, user, disabled)? {
            return Ok(());
        }
        if disabled {
            self.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Disable, user, client).by(actor))?;
        }
        let action = if disabled { AuditAction::Disabled } else { AuditAction::Enabled };
        NewEvent::by_admin(action, actor, user, client).write(tx)
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
        actor: Option<UserId>,
        user: UserId,
        role: Role,
        client: &Client,
    ) -> Result<(), Fault> {
        let email = |tx: &mut SessionTx<'_>, user| crate::identity::queries::email_of(tx, user);
        let by = actor.map(|actor| email(tx, actor)).transpose()?.flatten();
        let (Some(changed), Some(by)) = (email(tx, user)?, by) else { return Ok(()) };
        for administrator in queries::active_administrators(tx)? {
            let notice = Notice::RoleChanged { user, email: &changed, role, by: &by };
            self.notices.send_notice(tx, &administrator, &notice, client)?;
        }
        Ok(())
    }
}
