//! How a file of apps finds the users it names.

use crate::apps::app_refusal::AppRefusal;
use crate::db::Failed;
use crate::identity::UserId;

/// Returns the id of a user who is written as an address or an id; `None` if there is no such user.
pub(super) type UserLookup<'a> = dyn FnMut(&str) -> Result<Option<UserId>, Failed<AppRefusal>> + 'a;
