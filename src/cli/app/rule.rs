//! `latchkey app rule …`.

use clap::{Args, Subcommand};

use super::list::print_rules;
use super::registered::{failed, find, warn};
use crate::accounts::Accounts;
use crate::apps::{
    Access, AccessList, App, PathMatch, RequiredFactor, Rule, RulePath, RuleRefusal, RuleScope,
};
use crate::cli::Failure;
use crate::config::Span;
use crate::identity::{Client, Email, GroupName, Role};
use crate::web::copy::phrase::Phrase;

#[derive(Subcommand)]
pub enum RuleCommand {
    /// Add a rule. The first rule that matches a request decides.
    Add(AddRule),
    /// Remove a rule.
    Remove {
        slug: String,
        /// The number of the rule in `app show`.
        position: usize,
    },
    /// Move a rule to another position.
    Move { slug: String, from: usize, to: usize },
}

#[derive(Args)]
pub struct AddRule {
    slug: String,
    /// Only this path and everything below it.
    #[arg(long, conflicts_with = "exact")]
    below: Option<String>,
    /// Only this path, with or without a slash at the end.
    #[arg(long)]
    exact: Option<String>,
    /// Only this method; GET includes HEAD.
    #[arg(long = "method")]
    methods: Vec<String>,
    /// Only from this network, such as 10.0.0.0/8.
    #[arg(long = "from")]
    networks: Vec<String>,
    /// Who gets in: signed-in, open, group:NAME, user:EMAIL or role:admin.
    #[arg(long, required = true)]
    allow: Vec<String>,
    /// How the user must have logged in: any, two (a second factor or a passkey) or passkey.
    #[arg(long, default_value = "any")]
    factor: String,
    /// How recently the user must have confirmed their identity, such as 10m.
    #[arg(long)]
    fresh: Option<String>,
    /// Allow access tokens.
    #[arg(long)]
    tokens: bool,
    #[arg(long, default_value = "")]
    note: String,
    /// The position of the new rule. Default: last.
    #[arg(long)]
    at: Option<usize>,
}

pub async fn run(accounts: &Accounts, command: RuleCommand) -> Result<(), Failure> {
    match command {
        RuleCommand::Add(add) => {
            let before = find(accounts, &add.slug).await?;
            let rule = rule(accounts, &add).await?;
            let at = match add.at {
                Some(position) => index(position, before.rules.len() + 1)?,
                None => before.rules.len(),
            };
            let mut after = before.clone();
            after.rules.insert(at, rule);
            change(accounts, before, after).await
        }
        RuleCommand::Remove { slug, position } => {
            let before = find(accounts, &slug).await?;
            let mut after = before.clone();
            after.rules.remove(index(position, before.rules.len())?);
            change(accounts, before, after).await
        }
        RuleCommand::Move { slug, from, to } => {
            let before = find(accounts, &slug).await?;
            let mut after = before.clone();
            let (from, to) = (index(from, before.rules.len())?, index(to, before.rules.len())?);
            let rule = after.rules.remove(from);
            after.rules.insert(to, rule);
            change(accounts, before, after).await
        }
    }
}

async fn change(accounts: &Accounts, before: App, after: App) -> Result<(), Failure> {
    accounts.apps.change(None, before, after.clone(), Client::operator()).await.map_err(failed)?;
    warn(accounts, &after);
    print_rules(accounts, &after).await
}

/// The index of a position, which counts from 1.
fn index(position: usize, end: usize) -> Result<usize, Failure> {
    match position.checked_sub(1) {
        Some(index) if index < end => Ok(index),
        _ => Err(format!("there is no position {position}: use one from 1 to {end}").into()),
    }
}

async fn rule(accounts: &Accounts, add: &AddRule) -> Result<Rule, Failure> {
    let refused = |why: RuleRefusal| Phrase::from(&why).text;
    let path = |text: &str| RulePath::parse(text).map_err(|why| refused(RuleRefusal::Path(why)));
    let path = match (&add.exact, &add.below) {
        (Some(text), _) => PathMatch::Exact(path(text)?),
        (None, Some(text)) => PathMatch::Below(path(text)?),
        (None, None) => PathMatch::All,
    };
    let networks = add
        .networks
        .iter()
        .map(|text| text.parse().map_err(|_| refused(RuleRefusal::Network { text: text.clone() })))
        .collect::<Result<_, _>>()?;
    let methods = add.methods.iter().map(|method| method.to_ascii_uppercase()).collect();
    let factor = RequiredFactor::parse(&add.factor)
        .ok_or_else(|| refused(RuleRefusal::UnknownFactor { text: add.factor.clone() }))?;
    let fresh = add.fresh.as_deref().map(|text| Span::parse(text).ok_or_else(|| refused(RuleRefusal::Fresh)));
    Ok(Rule {
        when: RuleScope { methods, path, networks },
        access: access(accounts, &add.allow).await?,
        factor,
        fresh: fresh.transpose()?.map(Span::std),
        tokens: add.tokens,
        note: add.note.clone(),
    })
}

/// Reads `--allow`: one of two words, or a list of groups, users and a role.
pub async fn access(accounts: &Accounts, allowed: &[String]) -> Result<Access, Failure> {
    let refused = |why: RuleRefusal| Failure::from(Phrase::from(&why).text);
    match allowed {
        [one] if one == "open" => return Ok(Access::Open),
        [one] if one == "signed-in" => return Ok(Access::SignedIn),
        _ => {}
    }
    let mut list = AccessList::default();
    for text in allowed {
        match text.split_once(':') {
            Some(("group", name)) => list.groups.push(
                GroupName::parse(name).map_err(|_| refused(RuleRefusal::Group { text: name.to_owned() }))?,
            ),
            Some(("user", address)) => {
                let unknown = || refused(RuleRefusal::UnknownUser { text: address.to_owned() });
                let email = Email::parse(address).map_err(|_| unknown())?;
                list.users.push(accounts.admin.user_id(&email).await?.ok_or_else(unknown)?);
            }
            Some(("role", role)) => {
                let unknown = || refused(RuleRefusal::UnknownRole { text: role.to_owned() });
                list.role = Some(Role::parse(role).ok_or_else(unknown)?);
            }
            _ if text == "open" || text == "signed-in" => return Err(refused(RuleRefusal::TwoAnswers)),
            _ => {
                return Err(format!(
                    "{text:?} is not one of signed-in, open, group:NAME, user:EMAIL and role:admin"
                )
                .into());
            }
        }
    }
    Ok(Access::Listed(list))
}
