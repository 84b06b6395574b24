//! Handwritten histories: the checker accepts the correct ones and finds the violation in the others.

use super::checker::{SETTLED, check};
use super::record::{Done, End, Ended, Field, History, LogIn, Profile, Saw, Span, Use, Write};

const SECOND: u64 = 1_000_000;

fn at(begun: u64, ended: u64) -> Span {
    Span { begun: begun * SECOND, ended: ended * SECOND }
}

/// Person 0 has the sessions 0 and 1, person 1 has session 2: the keys 0, 1 and 2, since second 2.
fn base() -> History {
    let log_in = |person| LogIn { person, at: at(1, 2), done: Done::Yes };
    let mut history =
        History { log_ins: vec![log_in(0), log_in(0), log_in(1)], keys: vec![0, 1, 2], ..History::default() };
    for person in [0, 1] {
        for (field, value) in [(Field::Name, "Ada"), (Field::Role, "member"), (Field::Enabled, "true")] {
            history.writes.push(Write {
                person,
                field,
                value: value.into(),
                at: Span { begun: 0, ended: 0 },
                done: Done::Yes,
            });
        }
    }
    history
}

impl History {
    fn used(mut self, key: usize, at: Span, saw: Saw) -> Self {
        self.uses.push(Use { key, at, saw });
        self
    }

    fn ended(mut self, what: Ended, at: Span, done: Done) -> Self {
        self.ends.push(End { what, at, done });
        self
    }

    fn written(mut self, field: Field, value: &str, at: Span, done: Done) -> Self {
        self.writes.push(Write { person: 0, field, value: value.into(), at, done });
        self
    }

    fn logged_in(mut self, at: Span, done: Done) -> Self {
        self.log_ins.push(LogIn { person: 0, at, done });
        self.keys.push(self.log_ins.len() - 1);
        self
    }

    /// Session `session` enters an app.
    fn entered(mut self, session: usize, opened: Span) -> Self {
        self.app_keys.insert(self.keys.len(), opened);
        self.keys.push(session);
        self
    }

    /// How many requests were served too late, lost, or shown outdated data.
    fn faults(&self) -> [usize; 3] {
        let verdict = check(self);
        [verdict.served_after.len(), verdict.lost.len(), verdict.stale.len()]
    }
}

fn shows(name: &str, role: &str) -> Saw {
    Saw::In(Some(Profile { name: name.into(), role: role.into() }))
}

const GOOD: [usize; 3] = [0, 0, 0];
const SERVED: [usize; 3] = [1, 0, 0];
const LOST: [usize; 3] = [0, 1, 0];
const STALE: [usize; 3] = [0, 0, 1];

#[test]
fn a_session_that_is_served_after_the_answer_to_its_end_is_found() {
    let over = || base().ended(Ended::Session(0), at(10, 12), Done::Yes);
    assert_eq!(over().used(0, at(13, 14), Saw::In(None)).faults(), SERVED);
    // It began before the answer arrived.
    assert_eq!(over().used(0, at(11, 14), Saw::In(None)).faults(), GOOD);
    assert_eq!(over().used(0, at(13, 14), Saw::Out).faults(), GOOD);
    assert_eq!(over().used(0, at(13, 14), Saw::Nothing).faults(), GOOD);
    assert_eq!(over().used(1, at(13, 14), Saw::In(None)).faults(), GOOD);
}

#[test]
fn the_checker_finds_a_live_session_that_was_refused() {
    assert_eq!(base().used(0, at(5, 6), Saw::Out).faults(), LOST);
    assert_eq!(base().used(0, at(5, 6), Saw::Nothing).faults(), GOOD);
    let over = |saw| base().ended(Ended::Session(0), at(10, 12), Done::Yes).used(0, at(5, 6), saw);
    assert_eq!(over(Saw::Out).faults(), LOST, "before its end");
    assert_eq!(over(Saw::In(None)).faults(), GOOD);
    let refused = base().ended(Ended::Session(0), at(10, 12), Done::No);
    assert_eq!(refused.used(0, at(13, 14), Saw::Out).faults(), LOST, "whose end was refused");
}

#[test]
fn an_end_without_an_answer_may_have_happened_or_not_but_not_before_it_was_asked_for() {
    let over = || base().ended(Ended::Session(0), at(10, 12), Done::Unknown);
    assert_eq!(over().used(0, at(13, 14), Saw::In(None)).faults(), GOOD);
    assert_eq!(over().used(0, at(13, 14), Saw::Out).faults(), GOOD);
    assert_eq!(over().used(0, at(5, 6), Saw::Out).faults(), LOST);
}

#[test]
fn a_key_that_was_rotated_away_is_dead_and_its_session_is_not() {
    let mut rotated = base().ended(Ended::Key(0), at(10, 12), Done::Yes);
    rotated.keys.push(0);
    let rotated = rotated.used(3, at(13, 14), Saw::In(None));
    assert_eq!(rotated.faults(), GOOD);
    assert_eq!(rotated.used(0, at(13, 14), Saw::In(None)).faults(), SERVED);
    let mut both = base().ended(Ended::Key(0), at(10, 12), Done::Yes);
    both.keys.push(0);
    let both = both.ended(Ended::Session(0), at(20, 21), Done::Yes);
    assert_eq!(both.used(3, at(22, 23), Saw::In(None)).faults(), SERVED, "the new key ends with the session");
}

#[test]
fn ending_the_other_sessions_spares_the_current_one_and_other_users() {
    let over = || base().ended(Ended::Others(0, 1), at(10, 12), Done::Yes);
    assert_eq!(over().used(0, at(13, 14), Saw::In(None)).faults(), SERVED);
    assert_eq!(over().used(1, at(13, 14), Saw::In(None)).faults(), GOOD);
    assert_eq!(over().used(1, at(13, 14), Saw::Out).faults(), LOST);
    assert_eq!(over().used(2, at(13, 14), Saw::In(None)).faults(), GOOD);
    assert_eq!(over().used(2, at(13, 14), Saw::Out).faults(), LOST);
}

#[test]
fn the_key_of_an_app_ends_with_its_session_by_itself_and_when_other_sessions_are_ended() {
    let entered = || base().entered(1, at(5, 6));
    assert_eq!(entered().used(3, at(7, 8), Saw::Out).faults(), LOST);
    let over = |what, done| entered().ended(what, at(10, 12), done);
    for what in [
        Ended::Session(1),
        Ended::Key(3),
        Ended::All(0),
        Ended::Others(0, 0),
        Ended::Others(0, 1),
        Ended::AppKeys(0),
        Ended::Disabled(0),
    ] {
        assert_eq!(over(what, Done::Yes).used(3, at(13, 14), Saw::In(None)).faults(), SERVED, "{what:?}");
        assert_eq!(over(what, Done::Unknown).used(3, at(13, 14), Saw::In(None)).faults(), GOOD, "{what:?}");
        assert_eq!(over(what, Done::Unknown).used(3, at(13, 14), Saw::Out).faults(), GOOD, "{what:?}");
        assert_eq!(over(what, Done::Yes).used(3, at(7, 8), Saw::Out).faults(), LOST, "{what:?}");
    }
    for what in [Ended::Session(0), Ended::Key(1), Ended::Others(1, 2), Ended::AppKeys(1)] {
        assert_eq!(over(what, Done::Yes).used(3, at(13, 14), Saw::Out).faults(), LOST, "{what:?}");
    }
    // The session stays, and so does a key that it got later.
    let again = over(Ended::Others(0, 1), Done::Yes).entered(1, at(13, 14));
    assert_eq!(again.used(4, at(15, 16), Saw::Out).faults(), LOST);
    let again = over(Ended::AppKeys(0), Done::Yes).used(1, at(13, 14), Saw::Out);
    assert_eq!(again.faults(), LOST, "the session itself");
    let meanwhile = over(Ended::AppKeys(0), Done::Yes).entered(1, at(9, 11));
    assert_eq!(meanwhile.used(4, at(13, 14), Saw::In(None)).faults(), GOOD);
}

#[test]
fn logging_in_while_or_after_all_sessions_are_ended() {
    let over = |log_in| base().ended(Ended::All(0), at(10, 12), Done::Yes).logged_in(log_in, Done::Yes);
    // Concurrent, so it may be one of the sessions that were ended.
    for saw in [Saw::In(None), Saw::Out] {
        assert_eq!(over(at(9, 11)).used(3, at(13, 14), saw).faults(), GOOD);
    }
    assert_eq!(over(at(13, 14)).used(3, at(15, 16), Saw::Out).faults(), LOST, "it is none of them");
    assert_eq!(over(at(3, 4)).used(3, at(15, 16), Saw::In(None)).faults(), SERVED);
    let lost = base().ended(Ended::All(0), at(10, 12), Done::Unknown).logged_in(at(13, 14), Done::Yes);
    assert_eq!(lost.used(3, at(15, 16), Saw::Out).faults(), GOOD, "the end may come late");
    let late = 12 + SETTLED / SECOND + 1;
    let settled = base().ended(Ended::All(0), at(10, 12), Done::Unknown).logged_in(at(late, late), Done::Yes);
    assert_eq!(settled.used(3, at(late + 1, late + 2), Saw::Out).faults(), LOST);
}

#[test]
fn a_disabled_person_has_no_session_and_gets_none() {
    let disabled = || {
        base().ended(Ended::Disabled(0), at(10, 12), Done::Yes).written(
            Field::Enabled,
            "false",
            at(10, 12),
            Done::Yes,
        )
    };
    assert_eq!(disabled().used(0, at(13, 14), Saw::In(None)).faults(), SERVED);
    assert_eq!(disabled().logged_in(at(13, 14), Done::Yes).faults(), STALE);
    assert_eq!(disabled().logged_in(at(13, 14), Done::No).faults(), GOOD);
    assert_eq!(base().logged_in(at(13, 14), Done::No).faults(), STALE, "refused for no reason");
    // It was admitted concurrently, so it came first and was ended.
    assert_eq!(
        disabled().logged_in(at(9, 11), Done::Yes).used(3, at(13, 14), Saw::In(None)).faults(),
        SERVED
    );
    let enabled = || disabled().written(Field::Enabled, "true", at(20, 22), Done::Yes);
    assert_eq!(enabled().logged_in(at(23, 24), Done::Yes).used(3, at(25, 26), Saw::In(None)).faults(), GOOD);
    assert_eq!(enabled().used(0, at(25, 26), Saw::In(None)).faults(), SERVED, "and the old ones stay ended");
}

#[test]
fn the_checker_finds_a_profile_that_no_request_wrote_or_that_was_overwritten() {
    assert_eq!(base().used(0, at(5, 6), shows("Ada", "member")).faults(), GOOD);
    assert_eq!(base().used(0, at(5, 6), shows("Eve", "member")).faults(), STALE);
    let admin = |done| base().written(Field::Role, "admin", at(10, 12), done);
    assert_eq!(admin(Done::Yes).used(0, at(13, 14), shows("Ada", "member")).faults(), STALE);
    assert_eq!(admin(Done::Yes).used(0, at(13, 14), shows("Ada", "admin")).faults(), GOOD);
    assert_eq!(admin(Done::Yes).used(0, at(5, 6), shows("Ada", "admin")).faults(), STALE, "not yet");
    for role in ["member", "admin"] {
        assert_eq!(admin(Done::Yes).used(0, at(11, 14), shows("Ada", role)).faults(), GOOD);
        assert_eq!(admin(Done::Unknown).used(0, at(13, 14), shows("Ada", role)).faults(), GOOD);
    }
    let back = admin(Done::Yes).written(Field::Role, "member", at(20, 21), Done::Yes);
    assert_eq!(back.used(0, at(22, 23), shows("Ada", "admin")).faults(), STALE, "a demoted administrator");
}
