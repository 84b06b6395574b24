//! `latchkey prove revocation`: shows that a revoked session, or access token, is refused by every instance.

use std::fmt::{self, Display, Formatter};

use actix_web::rt::System;
use clap::value_parser;
use futures_util::future::{Either, select};
use serde_json::{Value, json};

use super::figures::{count, heading, line, times};
use super::streams::{self, StreamsAsText};
use crate::cli::{Failure, log, serve};
use crate::config::Settings;
use crate::lab::prove::{self, CredentialKind, Failing, ProveError, RevocationReport};

/// Start instances of this program on a database created for the test, keep them under load, revoke sessions one by
/// one, and check that none is served afterwards. Existing data is not touched.
#[derive(clap::Args)]
pub struct RevocationOptions {
    /// How many instances to start.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=16))]
    instances: u16,
    /// How long to revoke sessions.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Put an app behind the instances, and measure when the event streams, stalled downloads and websockets of a
    /// revoked session have ended.
    #[arg(long)]
    apps: bool,
    /// Revoke access tokens instead of sessions, while programs use the API and an app behind the instances with them.
    #[arg(long, conflicts_with = "apps")]
    tokens: bool,
    /// Print JSON, in one line.
    #[arg(long)]
    json: bool,
}

pub fn run(settings: &Settings, options: &RevocationOptions) -> Result<(), Failure> {
    log::start();
    if options.apps {
        return prove_streams(settings, options);
    }
    let RevocationOptions { instances, seconds, .. } = *options;
    let report = if options.tokens {
        unless_interrupted(prove::token_revocation(settings, instances, seconds))?
    } else {
        unless_interrupted(prove::revocation(settings, instances, seconds))?
    };
    if options.json {
        print_line!("{}", as_json(&report))
    } else {
        print_line!("{}", AsText(&report))
    }
    report.failing().map_or(Ok(()), |failing| Err(words(failing, report.kind).into()))
}

fn prove_streams(settings: &Settings, options: &RevocationOptions) -> Result<(), Failure> {
    let report = unless_interrupted(prove::stream_revocation(settings, options.instances, options.seconds))?;
    if options.json {
        print_line!("{}", streams::as_json(&report))
    } else {
        print_line!("{}", StreamsAsText(&report))
    }
    report.failing().map_or(Ok(()), |failing| Err(streams::words(failing).into()))
}

fn unless_interrupted<R>(proof: impl Future<Output = Result<R, ProveError>>) -> Result<R, Failure> {
    System::new().block_on(async {
        // Before the sandbox exists: a signal must not end the process without removing it.
        let interrupted = serve::signals()?;
        match select(Box::pin(interrupted), Box::pin(proof)).await {
            // Dropping the other future removes what it has created.
            Either::Left(((), _)) => Err(Failure::from("interrupted before anything was proven")),
            Either::Right((report, _)) => Ok(report?),
        }
    })
}

fn words(failing: Failing, kind: CredentialKind) -> String {
    let Nouns { one, many, .. } = nouns(kind);
    match failing {
        Failing::ServedAfterAnswer { served, of } => {
            format!(
                "{served} of {of} requests were served although they started after the revocation was answered"
            )
        }
        Failing::RefusedWhileLive(refused) => format!("{refused} requests of live {many} were refused"),
        Failing::NothingRevoked => format!("nothing was proven: no {one} was revoked in that time"),
    }
}

/// The words for what is revoked.
struct Nouns {
    one: &'static str,
    many: &'static str,
    /// What is requested with it.
    page: &'static str,
}

fn nouns(kind: CredentialKind) -> Nouns {
    match kind {
        CredentialKind::Sessions => Nouns { one: "session", many: "sessions", page: "/home" },
        CredentialKind::Tokens => {
            Nouns { one: "access token", many: "access tokens", page: "/api/v1/me and a page of an app" }
        }
    }
}

/// Programs read these keys: they do not change.
fn as_json(report: &RevocationReport) -> Value {
    json!({
        "instances": report.instances,
        "connections": report.connections,
        "seconds": (report.seconds * 100.0).round() / 100.0,
        "revocations": report.revocations(),
        "answered_ms": times(report.answered()),
        "refused_here_ms": times(report.refused_here()),
        "refused_elsewhere_ms": times(report.refused_elsewhere()),
        "requests": report.requests,
        "begun_after_answer": report.begun_after_answer,
        "served_after_answer": report.served_after_answer,
        "refused_while_live": report.refused_while_live,
        "failed": report.failed,
        "unanswered": report.unanswered,
    })
}

struct AsText<'r>(&'r RevocationReport);

impl Display for AsText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let RevocationReport { instances, connections, seconds, .. } = report;
        let revoked = report.revocations();
        let Nouns { one, many, page } = nouns(report.kind);
        writeln!(f, "{instances} instances on one database, {connections} connections requesting {page}.")?;
        writeln!(
            f,
            "{revoked} {many} revoked in {seconds:.1} s, each at one instance, with the form on its page.\n"
        )?;
        heading(f, "milliseconds since the form was sent")?;
        for (what, times) in [
            ("its answer has arrived", report.answered()),
            ("first refusal by that instance", report.refused_here()),
            ("first refusal by the last of the others", report.refused_elsewhere()),
        ] {
            line(f, what, times)?;
        }
        writeln!(f)?;
        for (what, number) in [
            ("requests", report.requests),
            ("started after the answer", report.begun_after_answer),
            ("of those served (must be 0)", report.served_after_answer),
            (&*format!("refused while the {one} was live (must be 0)"), report.refused_while_live),
            ("neither served nor refused", report.failed),
            ("revocations that were not answered in time", report.unanswered),
        ] {
            count(f, what, number)?;
        }
        let verdict = match report.failing() {
            None => format!("Every revoked {one} was refused by every instance."),
            Some(_) => "Not proven.".to_owned(),
        };
        write!(f, "\n{verdict}")
    }
}
