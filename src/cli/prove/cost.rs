//! `latchkey prove cost`: the cost table of `/compare` on the command line.

use actix_web::rt::System;
use serde_json::{Value, json};

use crate::cli::{Failure, connect};
use crate::config::Settings;
use crate::lab::jwt::Algorithm;
use crate::lab::{CheckCost, CheckKind, Cost, Lab, Operation, OperationCost, RowWrites};

pub fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    let lab = Lab::new(accounts.sessions(), settings.secret.clone());
    let cost = System::new().block_on(lab.measure_cost())?;
    if json {
        print_line!("{}", as_json(&cost));
        return Ok(());
    }
    print(&cost)
}

fn print(cost: &Cost) -> Result<(), Failure> {
    print_line!("{:<30} {:>6} {:>11}  {}", "a check", "bytes", "median", "to scale out, each server needs");
    for check in &cost.checks {
        let CheckCost { kind, bytes, microseconds } = check;
        print_line!("{:<30} {bytes:>6} {microseconds:>8.1} µs  {}", name(*kind), to_scale_out(*kind));
    }
    print_line!("");
    print_line!("{:<30} {:>9} {:>9} {:>21}", "rows written", "session", "token", "token with deny-list");
    for cost in &cost.operations {
        let [session, token, listed] = [cost.session, cost.token, cost.token_with_deny_list].map(rows);
        print_line!("{:<30} {session:>9} {token:>9} {listed:>21}", operation(cost.operation));
    }
    print_line!("");
    print_line!("Medians of {} interleaved rounds, in {} ms.", cost.rounds, cost.took.as_millis());
    Ok(())
}

fn rows(writes: Option<RowWrites>) -> String {
    writes.map_or_else(|| "-".into(), |writes| writes.rows().to_string())
}

/// Programs read these keys and names: they do not change.
fn as_json(cost: &Cost) -> Value {
    let check = |check: &CheckCost| {
        json!({
            "way": name(check.kind),
            "is_session": check.kind.is_session(),
            "bytes": check.bytes,
            "microseconds": check.microseconds,
            "to_scale_out": to_scale_out(check.kind),
        })
    };
    let writes = |writes: Option<RowWrites>| {
        writes.map(|RowWrites { inserted, updated, deleted }| {
            json!({ "inserted": inserted, "updated": updated, "deleted": deleted })
        })
    };
    let operation_cost = |cost: &OperationCost| {
        json!({
            "deed": operation(cost.operation),
            "session": writes(cost.session),
            "token": writes(cost.token),
            "token_with_deny_list": writes(cost.token_with_deny_list),
        })
    };
    json!({
        "checks": cost.checks.iter().map(check).collect::<Vec<_>>(),
        "deeds": cost.operations.iter().map(operation_cost).collect::<Vec<_>>(),
        "rounds": cost.rounds,
    })
}

fn name(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::SessionFromMemory => "Session, from memory",
        CheckKind::SessionFromDatabase => "Session, from the database",
        CheckKind::Token(Algorithm::Hs256) => "Token, HS256",
        CheckKind::Token(Algorithm::EdDsa) => "Token, EdDSA",
        CheckKind::TokenWithDenyList(Algorithm::Hs256) => "Token, HS256, with deny-list",
        CheckKind::TokenWithDenyList(Algorithm::EdDsa) => "Token, EdDSA, with deny-list",
    }
}

fn to_scale_out(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::SessionFromMemory => "the database, and a connection each to hear what was revoked",
        CheckKind::SessionFromDatabase => "the database",
        CheckKind::Token(Algorithm::Hs256) => "the one secret on every server: each could sign",
        CheckKind::Token(Algorithm::EdDsa) => "the public key on every server",
        CheckKind::TokenWithDenyList(Algorithm::Hs256) => "the one secret on every server, and the database",
        CheckKind::TokenWithDenyList(Algorithm::EdDsa) => "the public key on every server, and the database",
    }
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::LogIn => "Log-in",
        Operation::Check => "A check",
        Operation::Refresh => "Refreshing",
        Operation::LogOut => "Log-out",
    }
}
