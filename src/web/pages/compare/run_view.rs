//! A run, as the page shows it.

use data_encoding::HEXLOWER;
use time::OffsetDateTime;
use time::macros::format_description;

use super::copy;
use super::copy::narration::{Narration, narration};
use crate::lab::jwt::{self, Algorithm};
use crate::lab::{
    Comparison, Credentials, HistoryEntry, LoggedStep, RefreshRefusal, Run, SessionRow, Snapshot, SourceLine,
    SubjectRole, TokenRow, Verdict,
};
use crate::web::http::shared::LabCookies;
use crate::web::pages::view::When;

pub struct RunView {
    /// How many steps were taken.
    pub step_count: i32,
    pub last_step: Option<StepView>,
    pub history: Vec<StepView>,
    pub comparisons: Vec<ComparisonView>,
    pub session: Option<CredentialView>,
    pub access: Option<CredentialView>,
    pub refresh: Option<CredentialView>,
    /// Bytes in each request.
    pub session_bytes: usize,
    pub token_bytes: usize,
    pub session_rows: Vec<SessionRowView>,
    pub token_rows: Vec<TokenRowView>,
    pub denied_in_memory: usize,
    /// The visitor's browser is refused on one side or both.
    pub refused: bool,
    pub role: &'static str,
    pub disabled: bool,
    pub algorithm: &'static str,
    pub other_algorithm: &'static str,
    pub deny_list: &'static str,
    pub split: bool,
    pub has_copy: bool,
    pub signing_key: i32,
    pub oldest_key: i32,
    pub ends: When,
}

pub struct StepView {
    pub text: Narration,
    pub code: &'static str,
    /// Why a refresh token was refused; empty for all other steps.
    pub refusal: &'static str,
    pub when: When,
}

/// The verdicts on one holder's credentials at one service.
pub struct ComparisonView {
    pub presenter: String,
    pub holder: &'static str,
    pub service: &'static str,
    pub session: VerdictView,
    pub token: VerdictView,
}

pub struct VerdictView {
    pub accepted: bool,
    pub role: &'static str,
    pub reason: String,
    pub code: &'static str,
    /// When that became the reason, if it is a refusal with a known time.
    pub since: Option<When>,
    /// The remaining time, if the credential is accepted.
    pub remaining: Option<When>,
    pub decided_by: SourceLine,
    pub queries: String,
    pub took: String,
}

/// A credential, as a cookie carries it.
pub struct CredentialView {
    pub name: String,
    pub value: String,
    pub bytes: usize,
    /// The content that every holder can read; empty for a session's key.
    pub header: String,
    pub payload: String,
}

pub struct SessionRowView {
    pub key_hash: String,
    pub created: When,
    pub seen: When,
    pub ends: When,
    pub revoked: Option<When>,
}

pub struct TokenRowView {
    pub id: String,
    pub kind: String,
    pub state: &'static str,
}

impl RunView {
    pub fn new(run: &Run, names: &LabCookies, credentials: &Credentials, snapshot: Snapshot) -> Self {
        let now = OffsetDateTime::from(run.now);
        let mut history: Vec<StepView> =
            run.history.iter().rev().map(|entry| StepView::new(entry, now)).collect();
        let last_step = (!history.is_empty()).then(|| history.remove(0));
        let view =
            |name: &str, value: &Option<String>| value.as_ref().map(|value| CredentialView::new(name, value));
        let session = view(&names.session, &credentials.browser.session);
        let access = view(&names.access, &credentials.browser.access);
        let refresh = view(&names.refresh, &credentials.browser.refresh);
        let bytes = |view: &Option<CredentialView>| view.as_ref().map_or(0, |view| view.bytes);
        Self {
            session_bytes: bytes(&session),
            // A refresh token would be sent to the issuer only.
            token_bytes: bytes(&access),
            session,
            access,
            refresh,
            step_count: run.step_count,
            last_step,
            history,
            refused: snapshot.comparisons.iter().any(Comparison::refuses_browser),
            comparisons: snapshot.comparisons.iter().map(|one| ComparisonView::new(run, one)).collect(),
            session_rows: snapshot.sessions.iter().map(|row| SessionRowView::new(row, now)).collect(),
            token_rows: snapshot.tokens.into_iter().map(TokenRowView::new).collect(),
            denied_in_memory: snapshot.denied_in_memory,
            role: run.role.as_str(),
            disabled: run.disabled_at.is_some(),
            algorithm: run.algorithm.name(),
            other_algorithm: match run.algorithm {
                Algorithm::EdDsa => Algorithm::Hs256.name(),
                Algorithm::Hs256 => Algorithm::EdDsa.name(),
            },
            deny_list: copy::deny_list(run.deny_list),
            split: run.split,
            has_copy: credentials.copy.is_some(),
            signing_key: run.signing_key,
            oldest_key: run.oldest_key,
            ends: When::new(run.expires_at, now),
        }
    }
}

impl StepView {
    fn new(entry: &HistoryEntry, now: OffsetDateTime) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(entry.at).unwrap_or(now);
        let when = to_the_second(at, now);
        match entry.logged() {
            LoggedStep::Outcome(outcome) => Self {
                text: narration(outcome),
                code: outcome.code(),
                refusal: outcome.refresh_refusal().map_or("", RefreshRefusal::code),
                when,
            },
            LoggedStep::Text { step, session, token } => Self {
                text: Narration { step: step.into(), session: session.into(), token: token.into() },
                code: "",
                refusal: "",
                when,
            },
        }
    }
}

impl ComparisonView {
    fn new(run: &Run, comparison: &Comparison) -> Self {
        let Comparison { holder, service, session, token } = comparison;
        let now = run.now.into();
        Self {
            presenter: copy::presenter(*holder, *service, run.split),
            holder: holder.code(),
            service: service.name(),
            session: VerdictView::new(session, now),
            token: VerdictView::new(token, now),
        }
    }
}

impl VerdictView {
    fn new(verdict: &Verdict, now: OffsetDateTime) -> Self {
        let accepted = verdict.is_admitted();
        Self {
            accepted,
            role: verdict.role.map_or("", SubjectRole::as_str),
            reason: copy::reason(&verdict.reason),
            code: verdict.reason.code(),
            since: verdict.since.filter(|_| !accepted).map(|since| to_the_second(since, now)),
            remaining: verdict.until.filter(|_| accepted).map(|until| {
                let when = to_the_second(until, now);
                When { relative: copy::remaining(&when.relative), ..when }
            }),
            decided_by: verdict.decided_by,
            queries: copy::queries(verdict.queries),
            took: copy::check_time(verdict.took),
        }
    }
}

impl CredentialView {
    fn new(name: &str, value: &str) -> Self {
        let readable = jwt::read(value);
        let (header, payload) =
            readable.map_or_else(Default::default, |readable| (readable.header, readable.payload));
        let bytes = name.len() + "=; ".len() + value.len();
        Self { name: name.to_owned(), value: value.to_owned(), bytes, header, payload }
    }
}

impl SessionRowView {
    fn new(row: &SessionRow, now: OffsetDateTime) -> Self {
        let hash = HEXLOWER.encode(row.key_hash.get(..8).unwrap_or_default());
        Self {
            key_hash: hash + "…",
            created: to_the_second(row.created_at, now),
            seen: to_the_second(row.last_seen_at, now),
            ends: to_the_second(row.expires_at, now),
            revoked: row.revoked_at.map(|at| to_the_second(at, now)),
        }
    }
}

impl TokenRowView {
    fn new(token: TokenRow) -> Self {
        let state = copy::token_state(token.denied_at.is_some(), token.used_at.is_some());
        Self { id: token.id.chars().take(8).collect::<String>() + "…", kind: token.kind, state }
    }
}

/// As elsewhere, but exact to the second, because seconds matter here.
pub fn to_the_second(at: impl Into<OffsetDateTime>, now: OffsetDateTime) -> When {
    let at = at.into();
    let clock =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC");
    When { exact: at.format(clock).unwrap_or_default(), ..When::new(at, now) }
}
