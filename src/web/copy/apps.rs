//! What the rules of an app say about a request, in a sentence.

use crate::apps::{Access, Answer, App, Explain, NotAllowed, Trace};

/// Why a user is refused, as far as the app's setting `explain` allows. `None`: nothing is to be said.
pub fn why_refused(app: &App, trace: &Trace) -> Option<String> {
    let rule = trace.rule.and_then(|at| Some((at + 1, app.rules.get(at)?)));
    match (app.explain, trace.answer, rule) {
        (Explain::Off, ..) => None,
        (_, Answer::NotAllowed(NotAllowed::NoRule), _) => {
            Some("No rule of the app is about this address.".to_owned())
        }
        (Explain::Groups, Answer::NotAllowed(NotAllowed::NotListed), Some((number, rule))) => {
            let groups = match &rule.access {
                Access::Listed(list) => list.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(),
                Access::Open | Access::SignedIn => Vec::new(),
            };
            Some(match groups[..] {
                [] => format!("Rule {number} of the app lets in certain users only."),
                [group] => format!("Rule {number} of the app lets in the group {group}."),
                _ => format!("Rule {number} of the app lets in the groups {}.", groups.join(", ")),
            })
        }
        (_, Answer::NotAllowed(NotAllowed::NotListed), Some((number, _))) => {
            Some(format!("Rule {number} of the app lets in other users only."))
        }
        _ => None,
    }
}
