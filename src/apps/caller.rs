//! The user who sent a request, as `decide` needs them.

use crate::db::time::Moment;
use crate::identity::{
    EnrolledFactors, GroupName, LiveUser, LoginMethod, Role, User, UserId, UserSession as _,
};

/// The user of a live session.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub user: UserId,
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub groups: &'a [GroupName],
    /// How the user logged in; `None`: with a method that this version does not know.
    pub method: Option<LoginMethod>,
    /// When the user last proved their identity, according to the app key.
    pub proved_at: Moment,
    /// The factors with which the user could log in.
    pub enrolled: EnrolledFactors,
}

impl<'a> Caller<'a> {
    /// A user who proved their identity at `proved_at`, for a decision about a request that is not sent.
    pub fn now(id: UserId, user: &'a User, method: LoginMethod, proved_at: Moment) -> Self {
        Self { method: Some(method), ..Self::with(id, user, proved_at) }
    }

    fn with(id: UserId, user: &'a User, proved_at: Moment) -> Self {
        Self {
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
}
