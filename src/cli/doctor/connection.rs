//! Checks the connections to the database: encryption, poolers, and notifications.

use secrecy::ExposeSecret as _;

use super::check::{CheckContext, NOTIFY_WITHIN};
use super::finding::{Finding, note, ok, problem, warning};
use crate::cli::transport_security::{self, TransportSafety};
use crate::config::Pooler;
use crate::db::{Fault, diagnostics};

/// Checks the connections of the pool and the direct ones, and reports the worse of the two.
pub fn tls(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let Some(url) = &context.settings.database else {
        return Ok(ok("database.tls", "a private socket"));
    };
    let seen = diagnostics::tls_status(context.conn)?;
    let mut worst = (transport_security::assess(url.expose_secret(), || seen.encrypted), seen, "");
    if let Some(direct) = &context.settings.database_direct {
        let seen = diagnostics::tls_status(&mut context.db.connect_dedicated()?)?;
        let transport_security = transport_security::assess(direct.expose_secret(), || seen.encrypted);
        if transport_security.safety > worst.0.safety {
            worst = (transport_security, seen, "LATCHKEY__DATABASE__DIRECT_URL: ");
        }
    }
    let (transport_security, seen, which) = worst;
    let how = match (seen.protocol, seen.cipher) {
        (Some(protocol), Some(cipher)) => format!("{protocol}, {cipher}"),
        _ => "not encrypted".into(),
    };
    let seen = format!("{which}{how}, sslmode={}", transport_security.sslmode);
    Ok(match transport_security.safety {
        TransportSafety::Local => ok("database.tls", format!("{seen}, within this machine")),
        TransportSafety::Verified => {
            ok("database.tls", format!("{seen}, and the identity of the server is verified"))
        }
        TransportSafety::Unverified => warning(
            "database.tls",
            format!("{seen}: the identity of the server is not verified"),
            transport_security::ADVICE,
        ),
        TransportSafety::Plaintext => warning(
            "database.tls",
            format!("{seen}: anyone on the network can read and change everything"),
            transport_security::ADVICE,
        ),
    })
}

/// On its own connections, because the question is whether a connection keeps its server between transactions.
pub fn pooler(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let check = "database.pooler";
    let told = context.settings.pool.pooler == Pooler::Transaction;
    if diagnostics::keeps_its_server(&mut context.db.connect()?, &mut context.db.connect()?)? {
        return Ok(match told {
            false => ok(check, "connections keep their server"),
            true => note(
                check,
                "connections keep their server, and LATCHKEY__DATABASE__POOLER is transaction",
                "if there is no pooler in transaction mode, remove it: it costs two round trips per lookup",
            ),
        });
    }
    let seen = "there is a pooler in transaction mode";
    if context.settings.database_direct.is_none() {
        return Ok(problem(check, seen, format!("set LATCHKEY__DATABASE__POOLER=transaction, and {DIRECT}")));
    }
    if !diagnostics::keeps_its_server(
        &mut context.db.connect_dedicated()?,
        &mut context.db.connect_dedicated()?,
    )? {
        return Ok(problem(check, "LATCHKEY__DATABASE__DIRECT_URL leads through a pooler as well", DIRECT));
    }
    Ok(match told {
        true => ok(check, format!("{seen}, as the settings say; the listening connection bypasses it")),
        false => problem(
            check,
            format!("{seen}, and LATCHKEY__DATABASE__POOLER does not say so"),
            "set LATCHKEY__DATABASE__POOLER=transaction: until then no instance starts",
        ),
    })
}

const DIRECT: &str = "set LATCHKEY__DATABASE__DIRECT_URL to an address that bypasses the pooler, for migrations and the listening connection; until then every lookup hits the database";

/// Notifies on a connection like those of the pool.
pub fn listen(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let mut listening = context.db.connect_dedicated()?;
    Ok(match diagnostics::notification_delay(&mut listening, context.conn, NOTIFY_WITHIN)? {
        Some(took) => ok(
            "database.listen",
            format!("notifications arrive, after {:.1} ms", took.as_secs_f64() * 1000.0),
        ),
        None => problem("database.listen", "notifications do not arrive on the listening connection", DIRECT),
    })
}
