//! The texts of events, times and figures.

use super::*;
use crate::audit::AuditAction;
use crate::identity::{Agent, ClientToken};
use crate::web::pages::view::moments::relative;
use time::Duration;

#[test]
fn distances_are_said_as_people_say_them() {
    for (seconds, said) in [
        (-3, "just now"),
        (-60, "1 minute ago"),
        (-179, "3 minutes ago"),
        (-7200, "2 hours ago"),
        (-86_400 * 3, "3 days ago"),
        (-86_400 * 90, "3 months ago"),
        (86_400 * 7, "in 7 days"),
        (20, "in a moment"),
    ] {
        assert_eq!(relative(Duration::seconds(seconds)), said);
    }
}

/// Each kind of actor, as the affected user and as an administrator read it.
#[test]
fn every_event_says_who_did_it() {
    let (ada, grace) = (UserId(uuid::Uuid::from_u128(1)), UserId(uuid::Uuid::from_u128(2)));
    let now = OffsetDateTime::now_utc();
    let event = |actor: Option<UserId>, name: Option<&str>, agent: Agent, address: &str| Event {
        at: now,
        action: Some(AuditAction::ResetRequested),
        actor,
        actor_name: name.map(str::to_owned),
        subject: Some(ada),
        subject_name: Some("Ada".to_owned()),
        address: address.to_owned(),
        agent,
        token: None,
        detail: String::new(),
    };
    let curl = || Agent::Browser("curl/8".to_owned());
    for (event, own, by, actor) in [
        (event(Some(ada), Some("Ada"), curl(), "192.0.2.1"), "", "", "Ada"),
        (event(Some(grace), Some("Grace"), curl(), "192.0.2.1"), "an administrator", "Grace", "Grace"),
        (
            event(Some(grace), None, curl(), "192.0.2.1"),
            "an administrator",
            "a deleted user",
            "a deleted user",
        ),
        (event(None, None, Agent::Operator, ""), "the operator", "the operator", "the operator"),
        (event(None, None, curl(), "192.0.2.1"), "", "", "unknown"),
    ] {
        let read = EventView::own(&event, now);
        assert_eq!((read.by.as_str(), read.text.as_str()), (own, "Reset link requested"));
        assert_eq!(read.address.is_empty() && read.device.is_empty(), !own.is_empty(), "{own}");
        let seen = EventView::for_administrators(&event, now);
        assert_eq!((seen.by.as_str(), seen.actor_name.as_str()), (by, actor));
        assert_eq!((seen.person_name.as_str(), seen.address.as_str()), ("Ada", event.address.as_str()));
    }
}

#[test]
fn the_name_of_a_token_is_shown_to_its_owner_and_to_administrators() {
    let (ada, grace) = (UserId(uuid::Uuid::from_u128(1)), UserId(uuid::Uuid::from_u128(2)));
    let now = OffsetDateTime::now_utc();
    let by = |actor: UserId| Event {
        at: now,
        action: Some(AuditAction::Disabled),
        actor: Some(actor),
        actor_name: None,
        subject: Some(ada),
        subject_name: None,
        address: "192.0.2.1".to_owned(),
        agent: Agent::Browser("curl/8".to_owned()),
        token: Some(ClientToken { id: uuid::Uuid::from_u128(3), name: "nightly".to_owned() }),
        detail: String::new(),
    };
    let named = |view: EventView| view.text.contains("nightly");
    assert!(named(EventView::own(&by(ada), now)) && !named(EventView::own(&by(grace), now)));
    assert!(named(EventView::for_administrators(&by(grace), now)));
}
