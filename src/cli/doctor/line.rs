//! The doctor on the line to the database: who may listen in, and whether a connection stays one.

use super::database::{Case, HEARD_WITHIN};
use super::finding::{Finding, note, ok, problem, warning};
use crate::cli::way::{self, Safety};
use crate::config::Pooler;
use crate::db::{Fault, diagnostics};

/// That of the pool and, where there is another, the direct one: the worse of the two is told.
pub fn tls(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let Some(url) = &case.settings.database else {
        return Ok(ok("database.tls", "a private socket of our own"));
    };
    let seen = diagnostics::tls_status(case.conn)?;
    let mut worst = (way::judge(url, || seen.encrypted), seen, "");
    if let Some(direct) = &case.settings.database_direct {
        let seen = diagnostics::tls_status(&mut case.db.connect_dedicated()?)?;
        let way = way::judge(direct, || seen.encrypted);
        if way.safety > worst.0.safety {
            worst = (way, seen, "LATCHKEY__DATABASE__DIRECT_URL: ");
        }
    }
    let (way, seen, which) = worst;
    let how = match (seen.protocol, seen.cipher) {
        (Some(protocol), Some(cipher)) => format!("{protocol}, {cipher}"),
        _ => "not encrypted".into(),
    };
    let seen = format!("{which}{how}, sslmode={}", way.sslmode);
    Ok(match way.safety {
        Safety::Within => ok("database.tls", format!("{seen}, within this machine")),
        Safety::Proven => ok("database.tls", format!("{seen}, and the server has proven its name")),
        Safety::Unproven => warning(
            "database.tls",
            format!("{seen}: nobody has looked whether it is the right server"),
            way::ADVICE,
        ),
        Safety::Plain => warning(
            "database.tls",
            format!("{seen}: whoever is on the network reads and changes everything"),
            way::ADVICE,
        ),
    })
}

/// On connections of its own: what is asked is what becomes of them between transactions.
pub fn pooler(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let check = "database.pooler";
    let told = case.settings.pool.pooler == Pooler::Transaction;
    if diagnostics::keeps_its_server(&mut case.db.connect()?, &mut case.db.connect()?)? {
        return Ok(match told {
            false => ok(check, "a connection stays one"),
            true => note(
                check,
                "a connection stays one, and LATCHKEY__DATABASE__POOLER is transaction",
                "if no pooler in transaction mode is to come, take it away: it costs two round trips a look-up",
            ),
        });
    }
    let seen = "a pooler in transaction mode in between";
    if case.settings.database_direct.is_none() {
        return Ok(problem(check, seen, format!("set LATCHKEY__DATABASE__POOLER=transaction, and {DIRECT}")));
    }
    if !diagnostics::keeps_its_server(&mut case.db.connect_dedicated()?, &mut case.db.connect_dedicated()?)? {
        return Ok(problem(check, "LATCHKEY__DATABASE__DIRECT_URL leads through a pooler as well", DIRECT));
    }
    Ok(match told {
        true => ok(check, format!("{seen}, as the settings say; the connection that listens goes past it")),
        false => problem(
            check,
            format!("{seen}, and LATCHKEY__DATABASE__POOLER does not say so"),
            "set LATCHKEY__DATABASE__POOLER=transaction: until then no instance starts",
        ),
    })
}

const DIRECT: &str = "set LATCHKEY__DATABASE__DIRECT_URL to an address past the pooler, for migrations and the one connection that listens; until then each session is read from the database";

/// Said on a connection like those of the pool.
pub fn listen(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let mut listening = case.db.connect_dedicated()?;
    Ok(match diagnostics::notification_delay(&mut listening, case.conn, HEARD_WITHIN)? {
        Some(took) => ok(
            "database.listen",
            format!("what is announced is heard, after {:.1} ms", took.as_secs_f64() * 1000.0),
        ),
        None => problem(
            "database.listen",
            "what is announced is not heard on the connection that listens",
            DIRECT,
        ),
    })
}
