//! What holds for every clean-up.

use super::*;

#[test]
fn every_reason_is_a_sentence() {
    for cleanup in Cleanup::ALL {
        for artifact in Artifact::ALL {
            let why = effect(*cleanup, *artifact).reason();
            assert!(why.ends_with('.') && why.chars().next().is_some_and(char::is_uppercase), "{why}");
        }
    }
}

#[test]
fn everything_that_disabling_suspends_works_again_after_enabling() {
    for artifact in Artifact::ALL {
        let (while_disabled, after) =
            (effect(Cleanup::Disable, *artifact), effect(Cleanup::DisableAndEnable, *artifact));
        assert_eq!(
            matches!(while_disabled, Effect::Suspended(_)),
            matches!(after, Effect::Kept(_)),
            "{artifact:?}"
        );
    }
}

#[test]
fn every_clean_up_removes_the_app_keys_of_the_session() {
    for cleanup in Cleanup::ALL {
        assert!(effect(*cleanup, Artifact::AppKey).is_removed(), "{cleanup:?}");
        assert_eq!(
            effect(*cleanup, Artifact::AppKeyOfOtherSession).is_removed(),
            cleanup.session_scope() != SessionScope::One,
            "{cleanup:?}"
        );
    }
}

#[test]
fn no_clean_up_removes_the_owners_undo_links() {
    for cleanup in Cleanup::ALL {
        assert!(!effect(*cleanup, Artifact::OwnersUndoLinks).is_removed(), "{cleanup:?}");
    }
}

#[test]
fn a_clean_up_that_revokes_every_token_revokes_those_of_the_session() {
    for cleanup in Cleanup::ALL {
        let (of_session, older) = (effect(*cleanup, Artifact::Token), effect(*cleanup, Artifact::OlderToken));
        assert!(of_session.is_removed() || !older.is_removed(), "{cleanup:?}");
        let ends_sessions = cleanup.session_scope() != SessionScope::None;
        let expected = match cleanup {
            Cleanup::LogOut => false,
            Cleanup::Demote => true,
            _ => ends_sessions,
        };
        assert_eq!(of_session.is_removed(), expected, "{cleanup:?}");
    }
}
