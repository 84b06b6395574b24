//! What a thief leaves in an account, and what each clean-up removes: every cell of the table in docs/security.md, with
//! real forms and commands.

mod operations;
mod pending_email;
mod reserved;
mod scene;
mod thief;

use latchkey::cleanup::{Artifact, Cleanup, Effect, effect};

use scene::{Case, Scene};

/// How a clean-up is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Page,
    Command,
}

/// Tests one column of the table.
async fn column(cleanup: Cleanup, means: Means) {
    let mut tried = Vec::new();
    let mut wrong = Vec::new();
    for case in Case::ALL {
        let artifacts = case.artifacts(cleanup);
        if artifacts.is_empty() {
            continue;
        }
        let mut scene = Scene::set(case, cleanup).await;
        scene.carry_out(cleanup, means).await;
        for (artifact, works) in scene.what_works(&artifacts).await {
            let said = effect(cleanup, artifact);
            if works != matches!(said, Effect::Kept(_)) {
                wrong
                    .push(format!("{cleanup:?} by {means:?}, {artifact:?}: works: {works}, table: {said:?}"));
            }
            tried.push(artifact);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<_> = Artifact::ALL.iter().filter(|artifact| !tried.contains(artifact)).collect();
    assert!(missing.is_empty(), "{cleanup:?}: not tried: {missing:?}");
}

macro_rules! columns {
    ($($name:ident: $cleanup:ident, $means:ident;)*) => {
        const TRIED: &[(Cleanup, Means)] = &[$((Cleanup::$cleanup, Means::$means)),*];

        $(#[actix_web::test]
        async fn $name() {
            column(Cleanup::$cleanup, Means::$means).await;
        })*
    };
}

columns! {
    logging_out: LogOut, Page;
    ending_one_session: EndSession, Page;
    ending_the_others: EndOthers, Page;
    a_new_password: NewPassword, Page;
    a_reset: Reset, Page;
    reporting_a_session: ReportSession, Page;
    taking_the_address_back: UndoEmail, Page;
    taking_a_factor_back: UndoFactor, Page;
    unlocking: Unlock, Page;
    an_administrator_ends_one_session: AdminEndsSession, Page;
    an_administrator_ends_all_sessions: AdminEndsAll, Page;
    an_administrator_disables: Disable, Page;
    an_administrator_disables_and_enables: DisableAndEnable, Page;
    an_administrator_demotes: Demote, Page;
    deleting_the_account: Delete, Page;
    the_operator_unlocks: Unlock, Command;
    the_operator_ends_one_session: AdminEndsSession, Command;
    the_operator_disables: Disable, Command;
    the_operator_disables_and_enables: DisableAndEnable, Command;
    the_operator_demotes: Demote, Command;
    the_operator_resets_factors: ResetFactors, Command;
    the_operator_ends_everybodys_sessions: EndAllSessions, Command;
}

#[test]
fn every_clean_up_is_tried_in_every_way_there_is() {
    for cleanup in Cleanup::ALL {
        let by_command_alone = matches!(cleanup, Cleanup::ResetFactors | Cleanup::EndAllSessions);
        for (means, there_is) in
            [(Means::Page, !by_command_alone), (Means::Command, cleanup.command().is_some())]
        {
            assert_eq!(TRIED.contains(&(*cleanup, means)), there_is, "{cleanup:?} by {means:?}");
        }
    }
}
