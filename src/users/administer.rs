//! What administrators and the operator do to other users.

use time::OffsetDateTime;

use crate::audit::{Act, Entry, Event};
use crate::cleanup::{Cleanup, Request};
use crate::db::Fault;
use crate::factors;
use crate::factors::{FactorStatus, queries as factor_queries};
use crate::identity::{Answer, Client, Email, Name, Role, UserId};
use crate::notices::Notice;
use crate::users::queries::{Numbers, UserRow};
use crate::users::{Admin, queries};
use latchkey_sessions::{Handle, Principal, Scope, SessionRecord, SessionTx};

#[derive(Debug, PartialEq, Eq)]
pub enum AdminRefusal {
    NoSuchUser,
    /// Without them nobody could administer.
    LastAdmin,
    NoMail,
    Taken,
}

/// One person, as an administrator sees them.
pub struct UserPage {
    pub user: UserRow,
    pub sessions: Vec<SessionRecord>,
    pub events: Vec<Event>,
    pub last_admin: bool,
    /// After too many wrong passwords.
    pub locked: bool,
    pub factors: FactorStatus,
}

impl Admin {
    pub async fn users(&self, q: &str, limit: i64, offset: i64) -> Result<(Vec<UserRow>, i64), Fault> {
        let q = q.to_owned();
        self.db.read(move |conn| queries::users(conn, &q, limit, offset)).await
    }

    pub async fn user_page(&self, id: UserId) -> Result<Option<UserPage>, Fault> {
        let (admin, sessions) = (self.clone(), self.sessions.clone());
        self.db
            .read(move |conn| {
                let Some(user) = queries::user_row(conn, id)? else { return Ok(None) };
                let last_admin = queries::is_last_admin(conn, id)?;
                let (events, _) = crate::audit::queries::events(conn, Some(id), None, 10, 0)?;
                let sessions = sessions.list(conn, Scope::Of(&[id.principal()]), 100, 0)?;
                let locked = admin.login.is_locked(conn, id)?;
                let factors = factors::factors(conn, id)?;
                Ok(Some(UserPage { user, sessions, events, last_admin, locked, factors }))
            })
            .await
    }

    /// Live sessions of people whose name or address has `q` in it, with those people.
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

    /// The figures of the overview.
    pub async fn numbers(&self) -> Result<Numbers, Fault> {
        let sessions = self.sessions.clone();
        self.db
            .read(move |conn| {
                let live = sessions.count(conn, Scope::All)?;
                queries::numbers(conn, live)
            })
            .await
    }

    /// Makes a user without a password; they choose one through a reset link.
    pub async fn create_user(&self, email: &Email, name: &Name, role: Role) -> Answer<UserId, AdminRefusal> {
        let (email, name) = (email.clone(), name.clone());
        self.db
            .write(move |conn| {
                let Some(user) = queries::insert_user(conn, &email, name.as_str(), role, None)? else {
                    return Ok(Err(AdminRefusal::Taken));
                };
                queries::drop_registrations(conn, email.key())?;
                Entry::on(Act::Registered, None, user, &Client::operator()).write(conn)?;
                Ok(Ok(user))
            })
            .await
    }

    pub async fn user_id(&self, email: &Email) -> Result<Option<UserId>, Fault> {
        let key = email.key().to_owned();
        self.db.read(move |conn| crate::identity::queries::user_id(conn, &key)).await
    }

    /// Takes effect on the next request: the role is read with the session.
    pub async fn set_role(
        &self,
        actor: Option<UserId>,
        user: UserId,
        role: Role,
        client: Client,
    ) -> Answer<(), AdminRefusal> {
        self.on_user(user, role != Role::Admin, move |admin, change| {
            if queries::set_role(change, user, role)? {
                Entry::on(Act::RoleChanged, actor, user, &client).detail(role.as_str()).write(change)?;
                if role != Role::Admin {
                    admin
                        .cleaner
                        .clean_up(change, &Request::new(Cleanup::Demote, user, &client).by(actor))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Ends every session; nobody logs in to the account until it is enabled again (ASVS 5.0 7.4.2).
    pub async fn disable(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Answer<(), AdminRefusal> {
        self.on_user(user, true, move |admin, change| {
            if queries::set_disabled(change, user, true)? {
                admin.cleaner.clean_up(change, &Request::new(Cleanup::Disable, user, &client).by(actor))?;
                Entry::on(Act::Disabled, actor, user, &client).write(change)?;
            }
            Ok(())
        })
        .await
    }

    pub async fn enable(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Answer<(), AdminRefusal> {
        self.on_user(user, false, move |_, change| {
            if queries::set_disabled(change, user, false)? {
                Entry::on(Act::Enabled, actor, user, &client).write(change)?;
            }
            Ok(())
        })
        .await
    }

    pub async fn revoke_sessions_of(
        &self,
        actor: Option<UserId>,
        user: UserId,
        client: Client,
    ) -> Answer<(), AdminRefusal> {
        self.on_user(user, false, move |admin, change| {
            let request = Request::new(Cleanup::AdminEndsAll, user, &client).by(actor);
            let ended = admin.cleaner.clean_up(change, &request)?.sessions;
            if ended > 0 {
                Entry::on(Act::SessionsRevoked, actor, user, &client)
                    .detail(&format!("{ended}"))
                    .write(change)?;
            }
            Ok(())
        })
        .await
    }

    /// Ends one session of any user. `by` is the administrator and their session; `None` is the operator.
    /// `false` when there is no such live session.
    pub async fn revoke_any(
        &self,
        by: Option<(UserId, Handle)>,
        handle: Handle,
        client: Client,
    ) -> Result<bool, Fault> {
        let admin = self.clone();
        self.sessions
            .write(move |change| {
                let (actor, here) = by.unzip();
                let Some(user) = crate::identity::queries::session_owner(change, handle)? else {
                    return Ok(false);
                };
                crate::identity::queries::lock_user(change, user)?;
                let detail = admin.login.ended_session(change, handle, here)?;
                let request =
                    Request::new(Cleanup::AdminEndsSession, user, &client).by(actor).session(handle);
                if admin.cleaner.clean_up(change, &request)?.sessions == 0 {
                    return Ok(false);
                }
                Entry::on(Act::SessionRevoked, actor, user, &client)
                    .session(handle)
                    .detail(&detail)
                    .write(change)?;
                Ok(true)
            })
            .await
    }

    /// Logs everybody out, for when a key may have leaked and nobody knows whose; answers how many sessions ended.
    pub async fn revoke_everyone(&self, client: Client) -> Result<usize, Fault> {
        let ended = self
            .sessions
            .revoke_everyone(move |change, ended| {
                let detail = format!("{ended} of everybody");
                Entry::nobody(Act::SessionsRevoked, None, &client).detail(&detail).write(change)
            })
            .await?;
        // Afterwards, so that no session that was about to end leaves anything behind.
        let over = self.db.read(crate::cleanup::queries::database_time).await?;
        self.cleaner.clean_up_everybody(over).await?;
        Ok(ended)
    }

    /// Mails a reset link: administrators trigger resets, they never choose passwords (ASVS 5.0 6.4.6).
    pub async fn send_reset(&self, actor: UserId, user: UserId, client: Client) -> Answer<(), AdminRefusal> {
        if !self.mailer.delivers() {
            return Ok(Err(AdminRefusal::NoMail));
        }
        let admin = self.clone();
        self.db
            .write(move |conn| {
                let Some(person) = crate::identity::queries::addressee(conn, user)? else {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                };
                admin.notices.mail_reset(conn, &person)?;
                Entry::on(Act::ResetRequested, Some(actor), user, &client).write(conn)?;
                Ok(Ok(()))
            })
            .await
    }

    /// Runs `work` on an existing user. Where it might take away the last administrator, all administrators
    /// are locked first, so that two who demote each other cannot both succeed.
    async fn on_user<W>(&self, user: UserId, weakens: bool, work: W) -> Answer<(), AdminRefusal>
    where
        W: FnOnce(&Self, &mut SessionTx<'_>) -> Result<(), Fault> + Send + 'static,
    {
        let admin = self.clone();
        self.sessions
            .write(move |change| {
                if weakens && queries::lock_admins(change)? == [user] {
                    return Ok(Err(AdminRefusal::LastAdmin));
                }
                if !crate::identity::queries::lock_user(change, user)? {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                }
                work(&admin, change)?;
                Ok(Ok(()))
            })
            .await
    }

    /// For the operator, when somebody has lost everything and was recognised in another way (ASVS 5.0 6.4.4).
    /// `false` when there was nothing to remove.
    pub async fn reset_factors(&self, user: UserId, client: Client) -> Result<bool, Fault> {
        let admin = self.clone();
        self.sessions
            .write(move |change| {
                if !crate::identity::queries::lock_user(change, user)? {
                    return Ok(false);
                }
                // A passkey logs in by itself, also where it is not asked for after the password.
                if !factor_queries::has_second_factor(change, user)?
                    && !factor_queries::has_passkey(change, user)?
                {
                    return Ok(false);
                }
                let all =
                    Request::new(Cleanup::ResetFactors, user, &client).since(OffsetDateTime::UNIX_EPOCH);
                admin.cleaner.clean_up(change, &all)?;
                Entry::on(Act::FactorsReset, None, user, &client).write(change)?;
                admin.login.factors.tell_user(
                    change,
                    user,
                    &Notice::FactorRemoved("every second factor"),
                    &client,
                )?;
                Ok(true)
            })
            .await
    }
}
