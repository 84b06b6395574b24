//! The limits of Latchkey: each is a setting, with the reason for its default.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::documented::documented;
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

documented! {
    #[derive(Clone, Copy, Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawSessions {
        /// `standard` is the default; `strict` is NIST SP 800-63B-4 AAL2 to the letter.
        pub profile: Profile,
        /// A session ends after this time without a request. A browser left open overnight still works in the morning;
        /// one forgotten for a day does not.
        idle: Option<Span>,
        /// A session ends this long after the log-in. A week bounds the value of a stolen key; NIST allows 30 days at
        /// AAL1.
        absolute: Option<Span>,
        /// The idle limit with "Stay logged in". A month, however often the browser is used.
        remembered_idle: Option<Span>,
        /// The absolute limit with "Stay logged in": the definite limit that NIST SP 800-63B-4 §5.2 requires.
        remembered_absolute: Option<Span>,
        /// How long a confirmation lasts. Long enough to finish a form, short enough that someone who finds an open
        /// laptop cannot change the password.
        confirm_window: Option<Span>,
        /// How long a confirmation lasts on administrators' pages. Administrators do several things in a row; 15 minutes
        /// is NIST's idle limit at AAL3.
        admin_window: Option<Span>,
        /// The least time between two writes of "last seen" for one session. Pages show minutes, so nothing is lost.
        touch_every: Option<Span>,
        /// How long ended sessions stay as tombstones. An incident is often noticed weeks later.
        keep_ended: Option<Span>,
        /// `on` serves sessions from memory under a lease; `off` reads each session from the database on each request.
        /// Revocation is equally strict either way.
        cache: Option<Switch>,
        /// Sessions kept in memory at most, about 300 bytes each. Few sites have a hundred thousand active at a time.
        cached: Option<usize>,
    }
}

choice! {
    /// A setting that is on or off.
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

/// The limits in force, after the profile has supplied the defaults. [`Sessions`] gives the reasons.
#[derive(Clone, Copy, Serialize)]
pub struct SessionLimits {
    pub profile: Profile,
    pub idle: Span,
    pub absolute: Span,
    pub remembered_idle: Span,
    pub remembered_absolute: Span,
    pub confirm_window: Span,
    pub admin_window: Span,
    pub touch_every: Span,
    pub keep_ended: Span,
    /// Sessions kept in memory; 0 if the cache is off.
    pub cached: usize,
}

impl RawSessions {
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

documented! {
    #[derive(Clone, Copy, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct PasswordLimits {
        /// The shortest new password. NIST SP 800-63B-4 §3.1.1.2 requires 15 where a password may be the only factor.
        pub min_code_points: usize,
        /// The longest new password: twice what NIST requires to allow, and still cheap to hash and compare.
        pub max_code_points: usize,
        /// The longest new password in bytes. 128 code points of four bytes are 512; a kilobyte leaves room and bounds
        /// the work.
        pub max_bytes: usize,
    }
}

impl Default for PasswordLimits {
    fn default() -> Self {
        Self { min_code_points: 15, max_code_points: 128, max_bytes: 1024 }
    }
}

documented! {
    #[derive(Clone, Copy, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Hashing {
        /// Memory of one Argon2id hash: OWASP's minimum of 19 MiB (ASVS 5.0 appendix C).
        pub memory_kib: u32,
        /// Passes of Argon2id: OWASP's minimum for 19 MiB.
        pub iterations: u32,
        /// Lanes of Argon2id. One, because a server hashes several passwords at once anyway.
        pub parallelism: u32,
        /// Hashes computed at once; 0 derives it from cores and memory. Imported hashes of other formats have half as
        /// many permits of their own.
        pub permits: usize,
        /// Log-ins that may wait for a permit. A longer queue would make users wait longer than they do.
        pub queue: usize,
    }
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1, permits: 0, queue: 64 }
    }
}

documented! {
    #[derive(Clone, Copy, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct ThrottleLimits {
        /// Wrong passwords for one account before waiting begins. Four typing errors cost nothing; the fifth costs time.
        pub account_free: i32,
        /// Wrong passwords from one IP address before waiting begins. An office behind one address makes more mistakes
        /// than one person.
        pub address_free: i32,
        /// Forms from one IP address in an hour that hash or send email for an unknown visitor.
        pub asks_per_hour: i32,
        /// Passkey log-ins started from one IP address in an hour. Opening the log-in page starts one, and each leaves a
        /// row for five minutes.
        pub ceremonies_per_hour: i32,
        /// The first wait; each further failure doubles it. NIST SP 800-63B-4 §3.2.2 names 30 s.
        pub first_wait: Span,
        /// The longest wait. NIST SP 800-63B-4 §3.2.2 names an hour.
        pub longest_wait: Span,
        /// A count that is this old starts again at zero.
        pub forget_after: Span,
        /// Consecutive wrong passwords after which no password is checked until the user unlocks the account (NIST SP
        /// 800-63B-4 §3.2.2).
        pub disable_at: i32,
        /// How many of these are reserved for browsers and sessions that have logged in before, so that strangers
        /// cannot lock the owner out.
        pub known_share: i32,
        /// A browser is no longer known this long after its last log-in.
        pub known_for: Span,
        /// Requested emails to one address in an hour, so that the forms cannot flood an inbox.
        pub mails_per_hour: i32,
    }
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

documented! {
    #[derive(Clone, Copy, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct DeletionSettings {
        /// How long a deleted account can be restored by logging in. The owner may be on holiday while someone else has
        /// the browser.
        pub grace: Span,
    }
}

impl Default for DeletionSettings {
    fn default() -> Self {
        Self { grace: Span::days(14) }
    }
}

/// The shortest time for which events are kept, because incidents are often noticed weeks later. The database enforces it as
/// well.
const TRAIL_AT_LEAST: Span = Span::days(30);

documented! {
    #[derive(Clone, Copy, Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct AuditSettings {
        /// How long events are kept, at least `30d`; older ones are deleted behind a checkpoint. The right time depends
        /// on your law and your purpose, so Latchkey sets none.
        /// Default: for ever
        pub keep: Option<Span>,
    }
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

documented! {
    #[derive(Clone, Copy, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct LinkLifetimes {
        /// How long a registration link works. Users read email the next morning, and the link can only finish the
        /// registration.
        pub verify_for: Span,
        /// How long a reset link works. It is a key to the account ([why 30 minutes](decisions/tokens.md)).
        pub reset_for: Span,
        /// How long an invitation works. The invited person may be on holiday.
        pub invite_for: Span,
        /// How long the links "this wasn't me", "undo" and "unlock" work. The owner may be on holiday.
        pub undo_for: Span,
    }
}

impl Default for LinkLifetimes {
    fn default() -> Self {
        Self {
            verify_for: Span::hours(24),
            reset_for: Span::minutes(30),
            invite_for: Span::days(7),
            undo_for: Span::days(7),
        }
    }
}

/// The default limits of an app.
pub struct AppDefaults;

impl AppDefaults {
    /// Time to connect to an upstream. It is in the same network, so if it takes longer, it is down.
    pub const CONNECT: Duration = Duration::from_secs(2);
    /// Time until the head of a response: as long as other proxies wait, so that slow pages work as before.
    pub const HEAD: Duration = Duration::from_secs(60);
    /// Time without a byte of a body. Event streams send comments more often.
    pub const IDLE: Duration = Duration::from_secs(60);
    /// Concurrent requests of one app. An app that hangs must not take the connections of other apps.
    pub const MAX_IN_FLIGHT: u32 = 256;
    /// Open websockets of one app on one instance. Each takes two file descriptors; more users than one instance serves.
    pub const MAX_TUNNELS: usize = 2048;
    /// Open handoffs of one session; the oldest is deleted. More tabs than a user opens to log in.
    pub const OPEN_ENTRIES: i64 = 30;
    /// How long the code of a handoff works. The browser uses it as soon as it follows the redirect.
    pub const ENTRY_LIVES: Duration = Duration::from_secs(60);
    /// "Policy violation" (RFC 6455 §7.4.1), so that clients do not reconnect at once.
    pub const CLOSE_CODE: u16 = 1008;
}

/// Times for requests that are being passed on when something changes.
pub struct StreamLimits;

impl StreamLimits {
    /// A stream that could not be decided again for this long is closed: the user waits no longer than for a page.
    pub const UNCONFIRMED_FOR: Duration = Duration::from_secs(5);
    /// The wait before the database is asked again.
    pub const RETRY_AFTER: Duration = Duration::from_millis(250);
    /// How often streams are compared with the end of their session. Nothing is written after that end meanwhile.
    pub const TIME_CHECK_EVERY: Duration = Duration::from_millis(100);
}

/// The bounds of an app's settings.
pub struct AppBounds;

impl AppBounds {
    /// Rules of one app. A request may be compared with all of them.
    pub const RULES: usize = 200;
    /// Groups, users, networks or methods of one rule. A request may be compared with all of them; for more users, a group
    /// is easier to manage.
    pub const LISTED: usize = 200;
    /// Characters of a note about a rule or a group: a sentence or two.
    pub const NOTE: usize = 400;
    /// How old a proof of identity may be. With less than a minute, users could not finish the step that they confirmed
    /// for.
    pub const FRESH: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
    /// Time-outs of an upstream. An hour is longer than any client waits.
    pub const DURATION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
    /// Bytes of a request body: 1 TiB, more than any upload that passes a proxy.
    pub const BODY: u64 = 1 << 40;
    /// Bytes a second that a client must send of a body on average, or it uses up the time without data; time in which the
    /// upstream reads nothing does not count. IIS and Kestrel ask for as much: slow connections are faster, and holding
    /// many requests open costs an attacker traffic.
    pub const LEAST_RATE: u64 = 240;
    /// Concurrent requests of one app: more than a process has file descriptors.
    pub const IN_FLIGHT: u32 = 100_000;
}

/// Bounds of the API.
pub struct ApiLimits;

impl ApiLimits {
    /// Items on a page if the request names no limit: about a screen of a terminal.
    pub const PAGE: usize = 50;
    /// The most items on a page. Longer pages would help few programs and hold a connection longer.
    pub const LONGEST_PAGE: usize = 200;
}

/// The limits of access tokens.
pub struct TokenLimits;

impl TokenLimits {
    /// One for each program of a user, and few enough to read on one page.
    pub const PER_USER: usize = 50;
    /// A forgotten token ends within a year.
    pub const LONGEST: Duration = Duration::from_secs(365 * 86_400);
    /// If the operator names none: a month, so that a token that was created for a test does not stay.
    pub const DEFAULT: Duration = Duration::from_secs(30 * 86_400);
}
