//! `latchkey prove revocation`: that what is taken back is gone, on every instance, from the answer on.

use std::rc::Rc;

use actix_web::rt::System;
use clap::value_parser;
use futures_util::future::{Either, select};

use super::flood::Flood;
use super::instance::Instance;
use super::people::People;
use super::place::Place;
use super::report::Report;
use crate::cli::{Failure, log, serve};
use crate::config::Settings;

/// Start instances of this program on a database made for it, ask them all the time, end sessions one after the
/// other, and see that none is served after its end. Nothing that is there already is touched.
#[derive(clap::Args)]
pub struct Revocation {
    /// So many instances.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=16))]
    instances: u16,
    /// For so long.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// As JSON, in one line.
    #[arg(long)]
    json: bool,
}

pub fn run(settings: &Settings, options: &Revocation) -> Result<(), Failure> {
    log::start();
    let report = System::new().block_on(async {
        // Before anything is made that would have to be removed.
        let told_to_stop = serve::signals()?;
        match select(Box::pin(told_to_stop), Box::pin(prove(settings, options))).await {
            // What was made goes with the future that made it.
            Either::Left(((), _)) => Err("stopped before anything was proven".into()),
            Either::Right((report, _)) => report,
        }
    })?;
    if options.json {
        say!("{}", report.json())
    } else {
        say!("{report}")
    }
    report.verdict().map_or(Ok(()), |wrong| Err(wrong.into()))
}

async fn prove(settings: &Settings, options: &Revocation) -> Result<Report, Failure> {
    let place = Place::make(settings)?;
    let mut instances = Vec::new();
    for number in 1..=options.instances {
        instances.push(Instance::start(&place, number)?);
    }
    for instance in &mut instances {
        instance.ready().await?;
    }
    let people = People::new(settings, &place)?;
    let ports = instances.iter().map(|instance| instance.port).collect();
    Rc::new(Flood::new(ports, people.bystander().await?)).run(people, options.seconds).await
}
