//! Apps behind Latchkey: which host leads where, who may do what there, and the one decision about each request.

mod answer;
mod app;
mod caller;
mod choices;
mod decide;
mod entries;
mod header_names;
mod ids;
mod network;
mod origin;
mod path;
mod queries;
mod refusals;
mod request;
mod rule;
mod service;
mod snapshot;
mod snapshots;
mod upstream;

pub use answer::{Answer, NotAllowed, Skipped, Trace, UnknownAddress};
pub use app::{App, AppLimits};
pub use caller::Caller;
pub use choices::{AppMode, AppSource, Explain, RemoteUser, RequiredFactor, UpstreamHost};
pub use decide::{decide, traced};
pub use entries::{EnterRefusal, Entered, EntryAttempt, NewEntry};
pub use header_names::{IdentityHeaderName, IdentityHeaders, InvalidHeaderName};
pub use ids::{AppId, InvalidSlug, Slug};
pub use network::{InvalidNetwork, Network};
pub use origin::{AppOrigin, InvalidOrigin};
pub use path::{AmbiguousPath, InvalidRulePath, RulePath, canonical};
pub use request::{AccessRequest, RequestHeaders, RequestKind, is_safe};
pub use rule::{Access, AccessList, PathMatch, Rule, RuleScope};
pub use service::Apps;
pub use snapshot::Snapshot;
pub use upstream::{InvalidUpstream, Upstream};
