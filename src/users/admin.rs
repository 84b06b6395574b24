//! What administrators and the operator do with the accounts of other users.

use std::sync::Arc;

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{AuditAction, EndedOf, Event, EventDetail, NewEvent};
use crate::cleanup::{Cleaner, Cleanup, CleanupRequest};
use crate::db::{Db, Failed, Fault, refuse};
use crate::factors::{FactorStatus, factor_status, queries as factor_queries};
use crate::identity::{Client, Email, Name, Role, User, UserId};
use crate::login::{Login, ended_session_detail};
use crate::mail::Mailer;
use crate::notices::{Notice, Notices, RemovedFactor};
use crate::registration::queries as registration_queries;
use crate::throttle::{AttemptKeys, AttemptSource, UNKNOWN_BROWSER};
use crate::users::queries;
use crate::users::queries::{DailyFigures, UserRow};
use latchkey_sessions::{Handle, Principal, Scope, SessionRecord, SessionTx, Store};

#[derive(Debug, PartialEq, Eq)]
pub enum AdminRefusal {
    NoSuchUser,
    /// The last administrator cannot be demoted, disabled or deleted.
    LastAdmin,
    NoMail,
    AddressTaken,
    /// The user is not in the state that the caller expects.
    Changed,
}

/// A user, as an administrator sees them.
pub struct UserDetails {
    pub user: UserRow,
    pub sessions: Vec<SessionRecord>,
    pub events: Vec<Event>,
    pub last_admin: bool,
    /// After too many wrong passwords.
    pub locked: bool,
    pub factors: FactorStatus,
}

/// What administrators and operators do with the accounts of others.
#[derive(Clone)]
pub struct Administration {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    mailer: Mailer,
    pub(super) notices: Arc<Notices>,
    pub(super) cleaner: Arc<Cleaner>,
    login: Arc<Login>,
}

impl Administration {
    pub(crate) fn new(login: &Arc<Login>) -> Self {
        Self {
            db: login.db.clone(),
            sessions: login.sessions.clone(),
            mailer: login.mailer.clone(),
            notices: login.notices.clone(),
            cleaner: login.cleaner.clone(),
            login: login.clone(),
        }
    }

    pub async fn users(&self, q: &str, limit: i64, offset: i64) -> Result<(Vec<UserRow>, i64), Fault> {
        let q = q.to_owned();
        self.db.read(move |conn| queries::users(conn, &q, limit, offset)).await
    }

    pub async fn user_details(&self, id: UserId) -> Result<Option<UserDetails>, Fault> {
        let (admin, sessions) = (self.clone(), self.sessions.clone());
        self.db
            .read(move |conn| {
                let Some(user) = queries::user_row(conn, id)? else { return Ok(None) };
                let last_admin = queries::is_last_admin(conn, id)?;
                let (events, _) = crate::audit::queries::events(conn, Some(id), None, 10, 0)?;
                let sessions = sessions.list(conn, Scope::Of(&[id.principal()]), 100, 0)?;
                let locked = admin.is_locked(conn, id)?;
                let factors = factor_status(conn, id)?;
                Ok(Some(UserDetails { user, sessions, events, last_admin, locked, factors }))
            })
            .await
    }

    /// Live sessions with their users. Only of users whose name or address contains `q`, unless `q` is empty.
    pub async fn all_sessions(
        &self,
        q: &str,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<(SessionRecord, Option<UserRow>)>, i64), Fault> {
        let (sessions, q) = (self.sessions.clone(), q.to_owned());
        self.db
            .read(move |conn| {
                let found: Option<Vec<Principal>> = match q.is_empty() {
                    true => None,
                    false => Some(queries::user_ids(conn, &q)?.into_iter().map(UserId::principal).collect()),
                };
                let scope = found.as_deref().map_or(Scope::All, Scope::Of);
                let total = sessions.count(conn, scope)?;
                let records = sessions.list(conn, scope, limit, offset)?;
                let ids: Vec<UserId> = records.iter().map(|record| UserId(record.principal.0)).collect();
                let people = queries::user_rows(conn, &ids)?;
                let rows = records
                    .into_iter()
                    .map(|record| {
                        let owner = people.iter().find(|person| person.id == record.principal.0).cloned();
                        (record, owner)
                    })
                    .collect();
                Ok((rows, total))
            })
            .await
    }

    /// For the charts of the overview.
    pub async fn daily_figures(&self) -> Result<DailyFigures, Fault> {
        let sessions = self.sessions.clone();
        self.db
            .read(move |conn| {
                let live = sessions.count(conn, Scope::All)?;
                queries::daily_figures(conn, live)
            })
            .await
    }

    /// Creates a user without a password, who sets one through a reset link.
    pub async fn create_user(
        &self,
        email: &Email,
        name: &Name,
        role: Role,
    ) -> Result<UserId, Failed<AdminRefusal>> {
        let (email, name) = (email.clone(), name.clone());
        self.db
            .write_or_refuse(move |conn| {
                let Some(user) = registration_queries::insert_user(conn, &email, name.as_str(), role, None)?
                else {
                    return refuse(AdminRefusal::AddressTaken);
                };
                registration_queries::drop_registrations(conn, email.key())?;
                NewEvent::by_admin(AuditAction::Registered, None, user, &Client::operator()).write(conn)?;
                Ok(user)
            })
            .await
    }

    pub async fn user_id(&self, email: &Email) -> Result<Option<UserId>, Fault> {
        let key = email.key().to_owned();
        self.db.read(move |conn| crate::identity::queries::user_id(conn, &key)).await
    }

    /// Takes effect on the next request, because the role is read with the session.
    pub async fn set_role(
        &self,
        actor: Option<UserId>,
        user: UserId,
        role: Role,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        self.change_user(user, role != Role::Admin, move |admin, tx| {
            admin.apply_role(tx, actor, user, role, &client).map(drop)
        })
        .await
    }

    /// Ends every session; the user cannot log in until enabled again (ASVS 5.0 7.4.2).
    pub async fn disable(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        self.change_user(user, true, move |admin, tx| {
            admin.apply_disabled(tx, actor, user, true, &client).map(drop)
        })
        .await
    }

    /// Unlocks the password of a user, for the operator.
    pub async fn unlock_user(&self, user: UserId, client: Client) -> Result<(), Failed<AdminRefusal>> {
        let admin = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                if !crate::identity::queries::lock_user(tx, user)? {
                    return refuse(AdminRefusal::NoSuchUser);
                }
                let Some(email) = crate::identity::queries::email_of(tx, user)? else {
                    return refuse(AdminRefusal::NoSuchUser);
                };
                AttemptKeys::reset_all(tx, user, email.key(), &admin.login.throttle.counter_names)?;
                admin.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Unlock, user, &client))?;
                NewEvent::by_admin(AuditAction::PasswordUnlocked, None, user, &client).write(tx)?;
                Ok(())
            })
            .await
    }

    pub async fn enable(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        self.change_user(user, false, move |admin, tx| {
            admin.apply_disabled(tx, actor, user, false, &client).map(drop)
        })
        .await
    }

    pub async fn revoke_sessions_of(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        self.change_user(user, false, move |admin, tx| admin.apply_end_of_sessions(tx, actor, user, &client))
            .await
    }

    /// Ends one session of any user. `by`: the administrator and their session, unless they act with a token; `None` for
    /// the operator. `false` if there is no such live session.
    pub async fn revoke_session(
        &self,
        by: Option<(UserId, Option<Handle>)>,
        handle: Handle,
        client: Client,
    ) -> Result<bool, Fault> {
        let admin = self.clone();
        self.sessions
            .write(move |tx| {
                let (actor, here) = (by.map(|(actor, _)| actor), by.and_then(|(_, here)| here));
                let Some(user) = crate::identity::queries::session_owner(tx, handle)? else {
                    return Ok(false);
                };
                crate::identity::queries::lock_user(tx, user)?;
                let detail = ended_session_detail(&admin.sessions, tx, handle, here)?;
                let request =
                    CleanupRequest::new(Cleanup::AdminEndsSession, user, &client).by(actor).session(handle);
                if admin.cleaner.clean_up(tx, &request)?.sessions == 0 {
                    return Ok(false);
                }
                NewEvent::by_admin(AuditAction::SessionRevoked, actor, user, &client)
                    .session(handle)
                    .detail(&detail)
                    .write(tx)?;
                Ok(true)
            })
            .await
    }

    /// Ends the sessions of all users, for when keys may have leaked and it is not known which; returns how many.
    pub async fn revoke_all_sessions(&self, client: Client) -> Result<usize, Fault> {
        let ended = self
            .sessions
            .revoke_everyone({
                let client = client.clone();
                move |tx, ended| {
                    let detail = EventDetail::EndedSessions { ended, whose: EndedOf::Everyone };
                    NewEvent::unproven(AuditAction::SessionsRevoked, None, &client).data(&detail).write(tx)
                }
            })
            .await?;
        // Afterwards, so that it covers what those sessions did until they ended.
        let until = self.db.read(crate::cleanup::queries::database_time).await?;
        self.cleaner.clean_up_all_users(until, &client).await?;
        Ok(ended)
    }

    /// Mails a reset link. Administrators never choose a password for a user (ASVS 5.0 6.4.6).
    pub async fn send_reset_link(
        &self,
        actor: UserId,
        user: UserId,
        client: Client,
    ) -> Result<(), Failed<AdminRefusal>> {
        if !self.mailer.delivers() {
            return refuse(AdminRefusal::NoMail);
        }
        let admin = self.clone();
        self.db
            .write_or_refuse(move |conn| {
                let Some(person) = crate::identity::queries::recipient(conn, user)? else {
                    return refuse(AdminRefusal::NoSuchUser);
                };
                admin.notices.send_reset_link(conn, &person)?;
                NewEvent::by_admin(AuditAction::ResetRequested, Some(actor), user, &client).write(conn)?;
                Ok(())
            })
            .await
    }

    async fn change_user<W>(&self, user: UserId, weakens: bool, work: W) -> Result<(), Failed<AdminRefusal>>
    where
        W: FnOnce(&Self, &mut SessionTx<'_>) -> Result<(), Fault> + Send + 'static,
    {
        let admin = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                lock_for_change(tx, user, weakens)?;
                work(&admin, tx)?;
                Ok(())
            })
            .await
    }

    /// For the operator, after a user lost every second factor and proved their identity in another way (ASVS 5.0
    /// 6.4.4). `false` if there was nothing to remove.
    pub async fn reset_factors(&self, user: UserId, client: Client) -> Result<bool, Fault> {
        let admin = self.clone();
        self.sessions
            .write(move |tx| {
                if !crate::identity::queries::lock_user(tx, user)? {
                    return Ok(false);
                }
                // A passkey logs in by itself, even if it is not required after the password.
                if !factor_queries::has_second_factor(tx, user)? && !factor_queries::has_passkey(tx, user)? {
                    return Ok(false);
                }
                let all = CleanupRequest::new(Cleanup::ResetFactors, user, &client)
                    .since(OffsetDateTime::UNIX_EPOCH);
                admin.cleaner.clean_up(tx, &all)?;
                NewEvent::by_admin(AuditAction::FactorsReset, None, user, &client).write(tx)?;
                admin.login.factors.notify_user(
                    tx,
                    user,
                    &Notice::FactorRemoved(RemovedFactor::EverySecondFactor),
                    &client,
                )?;
                Ok(true)
            })
            .await
    }

    /// Whether the password is accepted in known devices only.
    fn is_locked(&self, conn: &mut PgConnection, user: UserId) -> Result<bool, Fault> {
        Ok(crate::throttle::queries::failure_counts(conn, user, UNKNOWN_BROWSER)?
            .left(&AttemptSource::UnknownBrowser, &self.login.throttle.limits)
            == 0)
    }
}

/// Locks an existing user. If the change could remove the last administrator (`weakens`), all administrators are locked
/// first, so that two who demote each other cannot both succeed.
pub(super) fn lock_for_change(
    conn: &mut PgConnection,
    user: UserId,
    weakens: bool,
) -> Result<(), Failed<AdminRefusal>> {
    if weakens && queries::lock_admins(conn)? == [user] {
        return refuse(AdminRefusal::LastAdmin);
    }
    if !crate::identity::queries::lock_user(conn, user)? {
        return refuse(AdminRefusal::NoSuchUser);
    }
    Ok(())
}
