//! Every limit Latchkey keeps, each a named setting with the reason for its default.

use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::{Misconfigured, Span};

choice! {
    /// `standard` is our default; `strict` is NIST SP 800-63B-4 AAL2 to the letter.
    #[derive(Default)]
    Profile {
        #[default]
        Standard = "standard",
        Strict = "strict",
    }
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    pub profile: Profile,
    idle: Option<Span>,
    absolute: Option<Span>,
    remembered_idle: Option<Span>,
    remembered_absolute: Option<Span>,
    confirm_window: Option<Span>,
    admin_window: Option<Span>,
    touch_every: Option<Span>,
    keep_ended: Option<Span>,
    cache: Option<Switch>,
    cached: Option<usize>,
}

choice! {
    /// What is on or off.
    #[derive(Default)]
    Switch {
        On = "on",
        #[default]
        Off = "off",
    }
}

impl Profile {
    /// The settings whose defaults depend on the profile.
    pub(super) const DECIDES: [&str; 4] =
        ["sessions.idle", "sessions.absolute", "sessions.remembered_idle", "sessions.remembered_absolute"];
}

/// The limits in force once the profile has filled the gaps.
#[derive(Clone, Copy, Serialize)]
pub struct SessionLimits {
    /// Which defaults fill the gaps.
    pub profile: Profile,
    /// A browser left open overnight still works in the morning; one forgotten for a day does not.
    pub idle: Span,
    /// A week bounds what a stolen key is worth; NIST allows 30 days at AAL1.
    pub absolute: Span,
    /// "Keep me logged in" means a month, however often the browser is used.
    pub remembered_idle: Span,
    /// The same month: the definite limit NIST SP 800-63B-4 §5.2 demands.
    pub remembered_absolute: Span,
    /// Long enough to finish a form, short enough that a borrowed laptop cannot change the password.
    pub confirm_window: Span,
    /// Administrators do several things in a row; a quarter of an hour is NIST's AAL3 idle limit.
    pub admin_window: Span,
    /// "Last seen" is shown in minutes, so one write a minute loses nothing.
    pub touch_every: Span,
    /// Ended sessions stay as tombstones while an incident may still be looked into.
    pub keep_ended: Span,
    /// Sessions kept in memory, some 300 bytes each: a hundred thousand are at work at a time in few places. None
    /// with the cache switched off, which is as safe and reads each session from the database each time.
    pub cached: usize,
}

impl Sessions {
    pub fn limits(&self) -> SessionLimits {
        let base = match self.profile {
            Profile::Standard => SessionLimits {
                profile: self.profile,
                idle: Span::hours(24),
                absolute: Span::days(7),
                remembered_idle: Span::days(30),
                remembered_absolute: Span::days(30),
                confirm_window: Span::minutes(10),
                admin_window: Span::minutes(15),
                touch_every: Span::minutes(1),
                keep_ended: Span::days(30),
                cached: 100_000,
            },
            Profile::Strict => SessionLimits {
                profile: self.profile,
                idle: Span::hours(1),
                absolute: Span::hours(24),
                remembered_idle: Span::hours(1),
                remembered_absolute: Span::hours(24),
                confirm_window: Span::minutes(10),
                admin_window: Span::minutes(15),
                touch_every: Span::minutes(1),
                keep_ended: Span::days(30),
                cached: 100_000,
            },
        };
        SessionLimits {
            profile: base.profile,
            idle: self.idle.unwrap_or(base.idle),
            absolute: self.absolute.unwrap_or(base.absolute),
            remembered_idle: self.remembered_idle.unwrap_or(base.remembered_idle),
            remembered_absolute: self.remembered_absolute.unwrap_or(base.remembered_absolute),
            confirm_window: self.confirm_window.unwrap_or(base.confirm_window),
            admin_window: self.admin_window.unwrap_or(base.admin_window),
            touch_every: self.touch_every.unwrap_or(base.touch_every),
            keep_ended: self.keep_ended.unwrap_or(base.keep_ended),
            cached: match self.cache {
                Some(Switch::Off) => 0,
                Some(Switch::On) | None => self.cached.unwrap_or(base.cached),
            },
        }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordLimits {
    /// NIST SP 800-63B-4 §3.1.1.2: 15 where a password may be the only factor.
    pub min_code_points: usize,
    /// Twice what NIST asks to allow, and still cheap to hash and compare.
    pub max_code_points: usize,
    /// Four bytes a code point would be 512; a kilobyte leaves room and bounds the work.
    pub max_bytes: usize,
}

impl Default for PasswordLimits {
    fn default() -> Self {
        Self { min_code_points: 15, max_code_points: 128, max_bytes: 1024 }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hashing {
    /// OWASP's Argon2id minimum: 19 MiB with two passes (ASVS 5.0 appendix C).
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes at once; 0 sizes it from the cores and the memory of the container. Hashes that other software made have
    /// half as many for themselves.
    pub permits: usize,
    /// Log-ins that may wait for a permit of either kind; more than this would wait longer than people do.
    pub queue: usize,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1, permits: 0, queue: 64 }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleLimits {
    /// Four slips of the finger are free; the fifth begins to cost time.
    pub account_free: i32,
    /// An office behind one address makes more mistakes than one person.
    pub address_free: i32,
    /// Forms that make us hash or mail for somebody unknown, sent from one address within an hour.
    pub asks_per_hour: i32,
    /// Log-ins with a passkey begun from one address within an hour. Opening the log-in page begins one, and each
    /// leaves a row for five minutes.
    pub ceremonies_per_hour: i32,
    /// NIST SP 800-63B-4 §3.2.2 names 30 s as the first wait; it doubles from there.
    pub first_wait: Span,
    /// … and an hour as the longest.
    pub longest_wait: Span,
    /// A count this old begins anew.
    pub forget_after: Span,
    /// Wrong passwords in a row, in all lanes together, after which none is looked at: NIST SP 800-63B-4 §3.2.2.
    pub disable_at: i32,
    /// … of which so many are kept for browsers and sessions that have been let in before, whatever strangers do.
    pub known_share: i32,
    /// A browser that was not logged in with for so long is a stranger again.
    pub known_for: Span,
    /// Mails one address may be sent in an hour, so that nobody's inbox is a weapon.
    pub mails_per_hour: i32,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            account_free: 4,
            address_free: 100,
            asks_per_hour: 200,
            ceremonies_per_hour: 2000,
            first_wait: Span::seconds(30),
            longest_wait: Span::hours(1),
            forget_after: Span::days(1),
            disable_at: 100,
            known_share: 20,
            known_for: Span::days(180),
            mails_per_hour: 5,
        }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Leaving {
    /// Somebody back from a holiday can still undo what they, or whoever had their browser, asked for.
    pub grace: Span,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { grace: Span::days(14) }
    }
}

/// What the trail may not be shorter than: an incident is often noticed weeks later. The database holds to it too.
const TRAIL_AT_LEAST: Span = Span::days(30);

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// Older events are thrown away behind a checkpoint. Kept for ever where nobody says otherwise: how long what is
    /// personal in it may be kept is for the operator to know.
    pub keep: Option<Span>,
}

impl AuditSettings {
    pub(super) fn checked(self) -> Result<Self, Misconfigured> {
        match self.keep {
            Some(keep) if keep < TRAIL_AT_LEAST => Err(Misconfigured::new(format!(
                "LATCHKEY__AUDIT__KEEP={keep} is too short: at least {TRAIL_AT_LEAST}"
            ))),
            _ => Ok(self),
        }
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// People read mail the next morning; nothing can be done with the link but finish registering.
    pub verify_for: Span,
    /// A reset link is a key to the account: half an hour (docs/decisions/tokens.md argues ASVS 6.5.5).
    pub reset_for: Span,
    /// An invitation waits for somebody on holiday.
    pub invite_for: Span,
    /// "This was not me", "take it back", "unlock": whoever was on holiday can still say so a week later.
    pub undo_for: Span,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            verify_for: Span::hours(24),
            reset_for: Span::minutes(30),
            invite_for: Span::days(7),
            undo_for: Span::days(7),
        }
    }
}
