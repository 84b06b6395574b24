//! Adds, moves and removes the rules of an app.

use actix_web::HttpResponse;
use serde::Deserialize;

use super::app_page::{AppEdit, AppPage, EditOutcome, change, change_at_once};
use super::load;
use super::rule_form::{RuleForm, refuse};
use crate::apps::{Access, PathMatch, Rule, RulePath, RuleScope};
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset};
use crate::web::http::path::{ByRule, BySlug, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::session::guard::Admin;

/// What browsers and search engines fetch without the user's cookies.
const OPEN_FILES: [&str; 6] = [
    "/robots.txt",
    "/favicon.ico",
    "/favicon.svg",
    "/manifest.json",
    "/manifest.webmanifest",
    "/apple-touch-icon.png",
];
const OPEN_DIRECTORY: &str = "/icons";

pub async fn add(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    mut form: Form<RuleForm>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    if let Some(rule) = form.input.rule(ctx.accounts(), &mut form.fields).await? {
        let mut after = app.clone();
        let place = form.input.place(app.rules.len());
        after.rules.insert(place, rule);
        let seen = form.input.seen.as_str();
        match change(&me, &ctx, AppEdit { before: app.clone(), after, seen, done: Flash::RuleAdded }).await? {
            EditOutcome::Answered(response) => return Ok(response),
            // What was typed is kept, below the rules as they are now.
            EditOutcome::Refused(why) => refuse(&mut form.fields, &why),
        }
    }
    page::refused(&AppPage::new(&ctx, &app).await?.with_rule(form.fields))
}

/// With the values that were typed before the confirmation expired.
pub async fn add_again(
    _: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let mut rule = draft.0;
    rule.set("open", "1");
    page::ok(&AppPage::new(&ctx, &app).await?.with_rule(rule))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct MoveForm {
    seen: Preset,
    /// `up`, `down` or `remove`: the button that was pressed.
    to: Preset,
}

impl FormInput for MoveForm {}

/// Moves a rule or removes it.
pub async fn change_rule(
    me: Admin,
    ctx: RequestContext,
    Path(ByRule { slug, number }): Path<ByRule>,
    form: Form<MoveForm>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let mut after = app.clone();
    let number = number.parse().map_err(|_| Error::NotFound)?;
    let done = rearrange(&mut after.rules, number, form.input.to.as_str()).ok_or(Error::NotFound)?;
    let seen = form.input.seen.as_str();
    change_at_once(&me, &ctx, AppEdit { before: app, after, seen, done }).await
}

/// `None` if there is no such rule, or nowhere to move it.
fn rearrange(rules: &mut Vec<Rule>, number: usize, to: &str) -> Option<Flash> {
    let at = number.checked_sub(1).filter(|at| *at < rules.len())?;
    match to {
        "up" if at > 0 => rules.swap(at - 1, at),
        "down" if at + 1 < rules.len() => rules.swap(at, at + 1),
        "remove" => {
            rules.remove(at);
            return Some(Flash::RuleRemoved);
        }
        _ => return None,
    }
    Some(Flash::RuleMoved)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct PresetForm {
    seen: Preset,
}

impl FormInput for PresetForm {}

/// Opens the manifest, icons and robots.txt to everyone, before all other rules.
pub async fn add_preset(
    me: Admin,
    ctx: RequestContext,
    Path(BySlug { slug }): Path<BySlug>,
    form: Form<PresetForm>,
) -> Result<HttpResponse, Error> {
    let app = load(&ctx, &slug).await?;
    let mut after = app.clone();
    let mut rules = open_rules();
    rules.retain(|rule| !app.rules.contains(rule));
    after.rules.splice(..0, rules);
    let seen = form.input.seen.as_str();
    change_at_once(&me, &ctx, AppEdit { before: app, after, seen, done: Flash::PresetAdded }).await
}

fn open_rules() -> Vec<Rule> {
    let files = OPEN_FILES.into_iter().filter_map(|path| RulePath::parse(path).ok()).map(PathMatch::Exact);
    let directory = RulePath::parse(OPEN_DIRECTORY).ok().map(PathMatch::Below);
    let rule = |path| Rule {
        when: RuleScope { methods: vec!["GET".to_owned()], path, networks: Vec::new() },
        ..Rule::everywhere(Access::Open)
    };
    files.chain(directory).map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preset_opens_every_path_that_it_names() {
        assert_eq!(open_rules().len(), OPEN_FILES.len() + 1);
    }

    #[test]
    fn a_rule_moves_by_one_place_and_not_beyond_the_ends() {
        let rules = |notes: &[&str]| -> Vec<Rule> {
            let noted = |note: &&str| Rule { note: (*note).to_owned(), ..Rule::everywhere(Access::Open) };
            notes.iter().map(noted).collect()
        };
        for (number, to, after) in [
            (2, "up", Some("bac")),
            (2, "down", Some("acb")),
            (2, "remove", Some("ac")),
            (1, "up", None),
            (3, "down", None),
            (0, "remove", None),
            (4, "remove", None),
            (2, "sideways", None),
        ] {
            let mut list = rules(&["a", "b", "c"]);
            let moved = rearrange(&mut list, number, to).is_some();
            let notes: String = list.iter().map(|rule| rule.note.as_str()).collect();
            assert_eq!((moved, notes.as_str()), (after.is_some(), after.unwrap_or("abc")), "{number} {to}");
        }
    }
}
