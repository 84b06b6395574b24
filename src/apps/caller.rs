//! The user who sent a request, as `decide` needs them.

use crate::apps::app::App;
use crate::apps::rule::{Access, AccessList};
use crate::db::time::Moment;
use crate::identity::{
    EnrolledFactors, GroupName, LiveUser, LoginMethod, Role, User, UserId, UserSession as _,
};

/// What a caller has authenticated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// An app key of a session.
    Session,
    /// An access token for the app.
    Token,
}

/// The user of a live session, or of a live access token.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub kind: CallerKind,
    pub user: UserId,
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub groups: &'a [GroupName],
    /// How the user logged in; `None`: with a method that this version does not know, or not at all.
    pub method: Option<LoginMethod>,
    /// When the user last proved their identity, according to the app key; never with a token.
    pub proved_at: Moment,
    /// The factors with which the user could log in.
    pub enrolled: EnrolledFactors,
}

impl<'a> Caller<'a> {
    /// A user who proved their identity at `proved_at`, for a decision about a request that is not sent.
    pub fn now(id: UserId, user: &'a User, method: LoginMethod, proved_at: Moment) -> Self {
        Self { method: Some(method), ..Self::with(id, user, proved_at) }
    }

    /// The user of an access token for the app.
    pub fn with_token(id: UserId, user: &'a User) -> Self {
        Self { kind: CallerKind::Token, ..Self::with(id, user, Moment(i64::MIN)) }
    }

    fn with(id: UserId, user: &'a User, proved_at: Moment) -> Self {
        Self {
            kind: CallerKind::Session,
            user: id,
            email: user.email(),
            name: user.name(),
            role: user.role,
            groups: user.groups(),
            method: None,
            proved_at,
            enrolled: user.factors,
        }
    }

    /// * `proved_at`: the time that the app key records.
    pub fn of(live: &'a LiveUser, proved_at: Moment) -> Self {
        Self {
            method: LoginMethod::parse(&live.record.login.factor),
            ..Self::with(live.user_id(), &live.owner, proved_at)
        }
    }

    pub(super) fn is_on(&self, list: &AccessList) -> bool {
        list.role.is_some_and(|role| self.role >= role)
            || list.users.contains(&self.user)
            || list.groups.iter().any(|group| self.groups.contains(group))
    }

    /// Whether a rule of the app accepts this user's tokens, perhaps for some requests only.
    pub fn may_use_tokens_at(&self, app: &App) -> bool {
        let may_enter = |access: &Access| match access {
            Access::Open | Access::SignedIn => true,
            Access::Listed(list) => self.is_on(list),
        };
        app.enabled && app.rules.iter().any(|rule| rule.accepts_tokens() && may_enter(&rule.access))
    }
}
