//! Completes the raw settings with defaults and collects all problems.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::local_secret::{self, IfMissing};
use super::problems::Problems;
use super::raw::RawSettings;
use super::settings::{AppsSettings, FrontSettings, ServerSettings, Settings};
use super::sources::{Source, Sources};
use super::variables::Variables;
use super::{Misconfigured, Origin, Pooler, Profile, Switch, sizes};
use crate::secret::{SECRET_MIN_BYTES, Secret};

pub(super) fn resolve(
    written: RawSettings,
    mut sources: Sources,
    variables: &Variables,
    if_missing: IfMissing,
) -> Result<Settings, Misconfigured> {
    let mut problems = Problems::default();
    for name in variables.quoted() {
        problems.add(format!("{name} has quotation marks around it: remove them"));
    }
    for name in variables.placeholders() {
        problems.add(format!("{name} still has the placeholder of the example: write your own value"));
    }
    let named = problems.value_of(written.database.named(variables));
    // A wrong database setting does not switch to local mode.
    let local = matches!(named, Some(None));
    let database = named.flatten().map(|named| {
        if named.source != Source::Setting {
            sources.set("database.url", named.source);
        }
        named.url
    });
    let data_dir = written.data_dir.unwrap_or_else(|| PathBuf::from(".latchkey"));
    let port = match variables.get("PORT") {
        Some(text) => {
            sources.set("server.port", Source::Variable("PORT".into()));
            text.parse().unwrap_or_else(|_| {
                problems.add(format!("PORT={text:?} is not a port number: use one from 0 to 65535"));
                0
            })
        }
        None => written.server.port.unwrap_or(8080),
    };
    let public = match (written.server.public_url.as_deref(), local) {
        (Some(text), _) => Origin::parse(text).map_err(|why| format!("LATCHKEY__SERVER__PUBLIC_URL: {why}")),
        (None, true) => Origin::on_this_machine(port),
        (None, false) => Err(
            "LATCHKEY__SERVER__PUBLIC_URL is missing: the address that users type, such as https://id.example.org"
                .into(),
        ),
    };
    let public = problems.value_of(public.map_err(Misconfigured::new));
    let secret = match (written.secret, local) {
        (Some(text), _) => problems.value_of(local_secret::parse(text.expose_secret(), "LATCHKEY__SECRET")),
        (None, true) => {
            problems.value_of(local_secret::of(&data_dir, if_missing)).map(|(secret, is_kept)| {
                sources.set("secret", if is_kept { Source::DataDir } else { Source::NotCreatedYet });
                secret
            })
        }
        (None, false) => {
            problems.add(format!(
                "LATCHKEY__SECRET is missing: at least {SECRET_MIN_BYTES} random bytes, for example from `openssl rand -base64 48`"
            ));
            None
        }
    };
    let previous: Option<Secret> = written.secret_previous.and_then(|text| {
        problems.value_of(local_secret::parse(text.expose_secret(), "LATCHKEY__SECRET_PREVIOUS"))
    });
    let pool = written.database.pool();
    if pool.pooler == Pooler::Transaction && written.database.direct_url.is_none() {
        problems.add(
            "LATCHKEY__DATABASE__POOLER is transaction, so LATCHKEY__DATABASE__DIRECT_URL has to bypass it: \
             migrations and the listening connection need a connection of their own",
        );
    }
    let any_or_loopback = if local { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    let bind = written.server.bind.unwrap_or_else(|| any_or_loopback.into());
    let metrics = written
        .metrics
        .port
        .map(|port| SocketAddr::new(written.metrics.bind.unwrap_or_else(|| any_or_loopback.into()), port));
    if metrics.is_some_and(|metrics| metrics.port() == port && port != 0) {
        problems.add(format!(
            "LATCHKEY__METRICS__PORT is {port}, which serves the pages: choose another port for metrics"
        ));
    }
    let front =
        FrontSettings { bind: written.front.bind, port: written.front.port, hops: written.front.hops };
    if let Some(taken) = front.port.filter(|own| *own != 0)
        && (taken == port || metrics.is_some_and(|metrics| metrics.port() == taken))
    {
        problems.add(format!(
            "LATCHKEY__FRONT__PORT is {taken}, which serves something else: choose another port for decisions"
        ));
    }
    if front.hops == 0 {
        problems.add("LATCHKEY__FRONT__HOPS is 0: the proxy that asks for decisions is one hop");
    }
    if written.sessions.profile == Profile::Strict {
        for limit in Profile::DECIDES {
            if sources.of(limit) == Source::Default {
                sources.set(limit, Source::Profile(Profile::Strict));
            }
        }
    }
    let audit = problems.value_of(written.audit.checked());
    // Without a public URL, the mail settings are still checked.
    let public_or_local = public.clone().or_else(|| Origin::on_this_machine(port).ok());
    let mail = public_or_local.map(|public| written.mail.resolve(local, &public, &mut problems));
    problems.check()?;
    let (Some(public), Some(secret), Some(audit), Some(mail)) = (public, secret, audit, mail) else {
        return Err(Misconfigured::new("a setting has no value"));
    };
    Ok(Settings {
        server: ServerSettings {
            bind,
            port,
            public,
            trusted_hops: written.server.trusted_hops,
            workers: sizes::workers(written.server.workers),
            hsts_subdomains: written.server.hsts_subdomains,
        },
        database,
        choreo_connection: written.database.choreo_connection().to_owned(),
        database_direct: written.database.direct_url,
        pool,
        data_dir,
        secret: secret.with_previous(previous),
        mail,
        metrics,
        front,
        registration: written.registration,
        compare: written.compare.unwrap_or(Switch::On),
        sessions: written.sessions.limits(),
        passwords: written.passwords,
        hashing: written.hashing,
        throttle: written.throttle,
        tokens: written.tokens,
        leaving: written.leaving,
        audit,
        apps: AppsSettings {
            upstreams_from: written.apps.upstreams_from,
            file: variables.get("LATCHKEY_APPS").map(PathBuf::from),
        },
        sources,
    })
}
