//! Checks the current leader's database for everything that was acknowledged.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel::{RunQueryDsl as _, select};
use latchkey::db::migrations;

use crate::history::actors::{World, agent};
use crate::history::checker::surely_over;
use crate::history::record::Done;

#[derive(Default)]
pub struct Proof {
    sessions: usize,
    revocations: usize,
    registrations: usize,
    audited: usize,
    pub lost: Vec<String>,
    pub revived: Vec<String>,
}

impl Proof {
    /// Everything that was acknowledged to the users of `world`, whose addresses begin with `name`.
    pub fn of(world: &World, url: &str, name: &str, registered: &[String]) -> Self {
        let ours = format!("(SELECT id FROM users WHERE email LIKE '{name}%')");
        let rows = texts(
            url,
            &format!("user_agent || ' ' || (revoked_at IS NULL) FROM sessions WHERE principal IN {ours}"),
        );
        let live: HashMap<&str, bool> = rows
            .iter()
            .filter_map(|row| row.split_once(' '))
            .map(|(agent, live)| (agent, live == "true"))
            .collect();
        let audited =
            texts(url, &format!("user_agent FROM audit_events WHERE act = 'logged-in' AND actor IN {ours}"));
        let audited: BTreeSet<&str> = audited.iter().map(String::as_str).collect();
        let known = texts(url, &format!("email FROM registrations WHERE email LIKE '{name}-newcomer%'"));
        let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        let history = world.history.borrow();
        let mut proof = Self::default();
        let over = surely_over(&history);
        for (session, log_in) in history.log_ins.iter().enumerate() {
            if log_in.done != Done::Yes {
                continue;
            }
            proof.sessions += 1;
            let agent = agent(session);
            proof.revocations += usize::from(over.contains(&session));
            match live.get(agent.as_str()) {
                None => proof.lost.push(format!("the session of {agent}")),
                Some(true) if over.contains(&session) => proof.revived.push(agent.clone()),
                Some(_) => {}
            }
            proof.audited += 1;
            if !audited.contains(agent.as_str()) {
                proof.lost.push(format!("the audit event of {agent}"));
            }
        }
        for email in registered {
            proof.registrations += 1;
            if !known.contains(email.as_str()) {
                proof.lost.push(format!("the registration of {email}"));
            }
        }
        proof
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "answered: {} sessions, {} of them ended, {} registrations, {} audit events; lost {}, revived {}",
            self.sessions,
            self.revocations,
            self.registrations,
            self.audited,
            self.lost.len(),
            self.revived.len()
        )
    }
}

/// One value per row.
fn texts(url: &str, what: &str) -> Vec<String> {
    let mut conn = migrations::connect(url).expect("a connection");
    let (value, from) = what.split_once(" FROM ").expect("a query");
    let query = format!("(SELECT coalesce(string_agg({value}, E'\\n'), '') FROM {from})");
    let all: String = select(sql::<Text>(&query)).get_result(&mut conn).expect("rows");
    all.lines().map(str::to_owned).collect()
}
