//! Property tests of the serializers: values survive a round trip through JSON, and a program can PUT what it has read.

use latchkey::apps::AppFileEntry;
use latchkey::db::time::Moment;
use latchkey::groups::GroupRow;
use latchkey::identity::{EnrolledFactors, GroupName, Role, UserId};
use latchkey::users::UserRecord;
use latchkey::web::api::{ApiTime, GroupIn, GroupOut, UserOut};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

/// From JSON and back, once as text.
fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).expect("JSON")).expect("the same")
}

fn moments() -> impl Strategy<Value = OffsetDateTime> {
    (0_i64..3_000_000_000_000_000).prop_map(|micros| Moment(micros).into())
}

prop_compose! {
    fn users()(
        id in any::<u128>(), name in "\\PC{1,80}", email in "\\PC{1,80}", admin in any::<bool>(), disabled in any::<bool>(),
        leaving in any::<bool>(), groups in prop::collection::vec("[a-z0-9._-]{1,64}", 0..5), totp in any::<bool>(),
        passkey in any::<bool>(), sessions in 0_i64..1000, created_at in moments(), last_login_at in prop::option::of(moments()),
    ) -> UserRecord {
        let role = if admin { Role::Admin } else { Role::Member };
        let factors = EnrolledFactors { totp, passkey };
        UserRecord {
            id: UserId(Uuid::from_u128(id)), name, email, role, disabled, leaving, groups, factors, sessions, created_at,
            last_login_at,
        }
    }
}

proptest! {
    #[test]
    fn a_user_is_the_same_after_json(user in users()) {
        let out = again(&UserOut::from(&user));
        prop_assert_eq!(&out, &UserOut::from(&user));
        let back = UserRecord {
            id: UserId(out.id),
            role: out.role.into(),
            factors: EnrolledFactors { totp: out.factors.authenticator_app, passkey: out.factors.passkey },
            sessions: i64::try_from(out.sessions).unwrap(),
            created_at: out.created_at.moment().into(),
            last_login_at: out.last_login_at.map(|at: ApiTime| at.moment().into()),
            name: out.name,
            email: out.email,
            disabled: out.disabled,
            leaving: out.leaving,
            groups: out.groups,
        };
        prop_assert_eq!(back, user);
    }

    #[test]
    fn a_group_that_was_read_can_be_put(name in "[._-]{0,3}[a-z0-9][a-z0-9._-]{0,60}", note in "\\PC{0,400}", members in 0_i64..9) {
        let name = GroupName::parse(&name).unwrap();
        let group = GroupRow { name, note, members, last_joined_at: None, used_by: vec!["wiki".into()] };
        let out = again(&GroupOut::from(&group));
        prop_assert_eq!(&out, &GroupOut::from(&group));
        let input = again(&GroupIn { note: out.note });
        prop_assert_eq!(input.note, group.note);
    }
}

/// Settings of an app, with any of the fields.
fn settings() -> impl Strategy<Value = serde_json::Value> {
    let texts = prop::collection::vec("\\PC{0,20}", 0..3);
    let rule = (prop::option::of("/[a-z]{0,9}"), prop::option::of(any::<bool>()), texts.clone()).prop_map(
        |(below, tokens, groups)| serde_json::json!({ "below": below, "tokens": tokens, "groups": groups }),
    );
    (
        prop::option::of("\\PC{1,40}"),
        prop::option::of(any::<bool>()),
        texts,
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u32>()),
        prop::option::of(any::<u16>()),
        prop::option::of(prop::collection::vec(rule, 0..4)),
    )
        .prop_map(|(name, enabled, origins, max_body, max_in_flight, close_code, rules)| {
            serde_json::json!({
                "name": name, "enabled": enabled, "origins": origins, "max_body": max_body,
                "max_in_flight": max_in_flight, "close_code": close_code, "rules": rules,
            })
        })
}

proptest! {
    #[test]
    fn the_settings_of_an_app_are_the_same_after_json(settings in settings()) {
        let entry: AppFileEntry = serde_json::from_value(settings).unwrap();
        prop_assert_eq!(again(&entry), entry);
    }
}
