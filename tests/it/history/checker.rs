//! Checks a history against the contract: no request that began after a revocation was acknowledged is served with
//! the revoked session; no session ends unless a request ended it; and later requests show the profile as it was last
//! written.

use std::collections::{BTreeSet, HashMap};

use super::record::{Done, End, Ended, Field, History, KeyId, PersonId, Saw, SessionId, Span, Use, Write};

/// A request without an answer may still take effect for this long after it was given up: a stopped process continues,
/// and the database finishes what it began. In microseconds; none of the faults lasts half as long.
pub const SETTLED: u64 = 10_000_000;

#[derive(Default)]
pub struct Verdict {
    pub served_after: Vec<String>,
    pub lost: Vec<String>,
    /// Outdated names, roles and log-ins that were served.
    pub stale: Vec<String>,
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.served_after.is_empty() && self.lost.is_empty() && self.stale.is_empty()
    }
}

/// When something ended: certainly from `surely` on, and not before `maybe`.
#[derive(Clone, Copy)]
struct Over {
    surely: u64,
    maybe: u64,
}

impl Over {
    const NEVER: Self = Self { surely: u64::MAX, maybe: u64::MAX };

    fn or(self, other: Self) -> Self {
        Self { surely: self.surely.min(other.surely), maybe: self.maybe.min(other.maybe) }
    }
}

pub fn check(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    let ends = Ends::of(history);
    let sessions: Vec<Over> =
        (0..history.log_ins.len()).map(|session| ends.of_session(history, session)).collect();
    let keys: Vec<Over> = keys_over(history, &sessions);
    for used in &history.uses {
        let over = keys[used.key];
        match used.saw {
            Saw::In(_) if over.surely <= used.at.begun => verdict.served_after.push(format!(
                "key {} of session {} at {:?}, over since {}",
                used.key, history.keys[used.key], used.at, over.surely
            )),
            Saw::Out if over.maybe >= used.at.ended => verdict.lost.push(format!(
                "key {} of session {} at {:?}, but no request ended it",
                used.key, history.keys[used.key], used.at
            )),
            _ => {}
        }
    }
    let registers = registers(history);
    for (person, field, value, at) in observations(history) {
        let none = Vec::new();
        let writes = registers.get(&(person, field)).unwrap_or(&none);
        if !could_be_read(writes, &value, at) {
            verdict.stale.push(format!("person {person}: {field:?} was {value:?} at {at:?}"));
        }
    }
    verdict
}

/// Requests to the app without an answer whose key may have ended meanwhile: Latchkey closes their connections.
pub fn cut_off(history: &History) -> usize {
    let ends = Ends::of(history);
    let sessions: Vec<Over> =
        (0..history.log_ins.len()).map(|session| ends.of_session(history, session)).collect();
    let keys = keys_over(history, &sessions);
    let is_cut = |used: &&Use| {
        used.saw == Saw::Nothing
            && history.app_keys.contains_key(&used.key)
            && keys[used.key].maybe < used.at.ended
    };
    history.uses.iter().filter(is_cut).count()
}

/// The sessions that have ended and whose end was answered.
pub fn surely_over(history: &History) -> BTreeSet<SessionId> {
    let ends = Ends::of(history);
    (0..history.log_ins.len())
        .filter(|session| ends.of_session(history, *session).surely < u64::MAX)
        .collect()
}

/// The last moment at which it can have taken effect.
fn latest(at: Span, done: Done) -> u64 {
    if done == Done::Yes { at.ended } else { at.ended.saturating_add(SETTLED) }
}

/// All operations that took effect or may have, grouped by session and user.
struct Ends<'h> {
    sessions: HashMap<SessionId, Vec<&'h End>>,
    /// Each end, with the earliest time at which the user may have been enabled again.
    people: HashMap<PersonId, Vec<(&'h End, u64)>>,
}

impl<'h> Ends<'h> {
    fn of(history: &'h History) -> Self {
        let mut ends = Self { sessions: HashMap::new(), people: HashMap::new() };
        for end in history.ends.iter().filter(|end| end.done != Done::No) {
            match end.what {
                Ended::Session(session) => ends.sessions.entry(session).or_default().push(end),
                Ended::Others(person, _) | Ended::All(person) | Ended::Disabled(person) => {
                    ends.people.entry(person).or_default().push((end, enabled_after(history, end)));
                }
                Ended::Key(_) | Ended::AppKeys(_) => {}
            }
        }
        ends
    }

    fn of_session(&self, history: &History, session: SessionId) -> Over {
        let log_in = &history.log_ins[session];
        let mut over = Over::NEVER;
        for end in self.sessions.get(&session).into_iter().flatten() {
            let surely = if end.done == Done::Yes { end.at.ended } else { u64::MAX };
            over = over.or(Over { surely, maybe: end.at.begun });
        }
        for (end, enabled) in self.people.get(&log_in.person).into_iter().flatten() {
            let was_in = match end.what {
                Ended::Others(_, spared) if spared == session => continue,
                // A log-in before the user was enabled again happened before the user was disabled.
                Ended::Disabled(_) => log_in.at.ended < *enabled,
                _ => log_in.at.ended < end.at.begun,
            };
            let surely = was_in && end.done == Done::Yes;
            let possible = log_in.at.begun < latest(end.at, end.done);
            over = over.or(Over {
                surely: if surely { end.at.ended } else { u64::MAX },
                maybe: if possible { end.at.begun } else { u64::MAX },
            });
        }
        over
    }
}

/// When the user may have been enabled again after this `end`.
fn enabled_after(history: &History, end: &End) -> u64 {
    let Ended::Disabled(person) = end.what else { return 0 };
    let enabled = history.writes.iter().filter(|write| {
        (write.person, write.field) == (person, Field::Enabled)
            && write.value == "true"
            && write.done != Done::No
            && latest(write.at, write.done) > end.at.begun
    });
    enabled.map(|write| write.at.begun).min().unwrap_or(u64::MAX)
}

fn keys_over(history: &History, sessions: &[Over]) -> Vec<Over> {
    let mut keys: Vec<Over> = history.keys.iter().map(|session| sessions[*session]).collect();
    for end in history.ends.iter().filter(|end| end.done != Done::No) {
        match end.what {
            Ended::Key(key) => keys[key] = keys[key].or(end.of_opened_at(None)),
            Ended::Others(person, _) | Ended::AppKeys(person) => {
                for (key, opened) in &history.app_keys {
                    if history.log_ins[history.keys[*key]].person == person {
                        keys[*key] = keys[*key].or(end.of_opened_at(Some(*opened)));
                    }
                }
            }
            Ended::Session(_) | Ended::All(_) | Ended::Disabled(_) => {}
        }
    }
    keys
}

impl End {
    /// When it ended a key. One that was opened meanwhile or later may not be meant; `None`: it is named.
    fn of_opened_at(&self, opened: Option<Span>) -> Over {
        let surely = self.done == Done::Yes && opened.is_none_or(|opened| opened.ended < self.at.begun);
        let possible = opened.is_none_or(|opened| opened.begun < latest(self.at, self.done));
        Over {
            surely: if surely { self.at.ended } else { u64::MAX },
            maybe: if possible { self.at.begun } else { u64::MAX },
        }
    }
}

type Registers<'h> = HashMap<(PersonId, Field), Vec<&'h Write>>;

fn registers(history: &History) -> Registers<'_> {
    let mut registers: Registers<'_> = HashMap::new();
    for write in history.writes.iter().filter(|write| write.done != Done::No) {
        registers.entry((write.person, write.field)).or_default().push(write);
    }
    registers
}

/// The observed values of users, with times.
fn observations(history: &History) -> Vec<(PersonId, Field, String, Span)> {
    let owner = |key: KeyId| history.log_ins[history.keys[key]].person;
    let mut seen = Vec::new();
    for used in &history.uses {
        if let Saw::In(Some(profile)) = &used.saw {
            seen.push((owner(used.key), Field::Name, profile.name.clone(), used.at));
            seen.push((owner(used.key), Field::Role, profile.role.clone(), used.at));
        }
    }
    for log_in in &history.log_ins {
        match log_in.done {
            Done::Yes => seen.push((log_in.person, Field::Enabled, "true".to_owned(), log_in.at)),
            Done::No => seen.push((log_in.person, Field::Enabled, "false".to_owned(), log_in.at)),
            Done::Unknown => {}
        }
    }
    seen
}

/// Whether a request wrote `value`, and no other request certainly wrote another value between that and the read.
fn could_be_read(writes: &[&Write], value: &str, at: Span) -> bool {
    let others = writes
        .iter()
        .filter(|other| other.done == Done::Yes && other.at.ended < at.begun && other.value != value);
    let last_other = others.map(|other| other.at.begun).max().unwrap_or(0);
    writes.iter().any(|write| {
        write.at.begun < at.ended && latest(write.at, write.done) >= last_other && write.value == value
    })
}
