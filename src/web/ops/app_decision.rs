//! What a decision has seen of a request that carries a question of `latchkey doctor --app`. It travels to the echo in
//! the name of the doctor's user: every proxy passes that on, and the echo may be another instance.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::app_question::{DecisionFacts, DoctorUser};
use super::doctor::ObservedRequest;
use super::signed_answer::is_fresh;
use crate::secret::{Secret, encode};

const DECIDED: &str = "doctor-decided-app";

/// A request as the decision listener was asked about it.
#[derive(Serialize, Deserialize)]
pub struct DecidedRequest {
    pub question: String,
    pub method: String,
    /// Path and query.
    pub target: String,
    pub host: String,
    /// The names of the cookies.
    pub cookies: Vec<String>,
    pub seen: ObservedRequest,
    pub facts: DecisionFacts,
}

impl DecidedRequest {
    /// The user's name with this request, signed. `None` if it is not JSON.
    pub fn signed_name(&self, secret: &Secret) -> Option<String> {
        let seen = serde_json::to_string(self).ok()?;
        let signature = encode(&secret.mac(DECIDED, &[seen.as_bytes()]));
        Some(format!("{} {}.{signature}", DoctorUser::NAME, encode(seen.as_bytes())))
    }

    /// The request in the header with the user's name, and the header without it. `None` without a valid signature, or
    /// if the question is old.
    pub fn of_header<'h>(secret: &Secret, header: &'h str) -> Option<(Self, &'h str)> {
        let (name, token) = header.rsplit_once(' ')?;
        let (seen, signature) = token.split_once('.')?;
        let seen = BASE64URL_NOPAD.decode(seen.as_bytes()).ok()?;
        let is_ours = secret.signed(DECIDED, &[&seen], signature);
        let decided: Self = is_ours.then(|| serde_json::from_slice(&seen).ok())??;
        let at = decided.question.split('.').next().unwrap_or_default();
        is_fresh(at).then_some((decided, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::ops::signed_answer::stamp;

    fn decided(at: i64) -> DecidedRequest {
        DecidedRequest {
            question: format!("{at}.once..signature"),
            method: "GET".into(),
            target: "/.latchkey/echo?x".into(),
            host: "wiki.example.org".into(),
            cookies: vec!["theme".into()],
            seen: ObservedRequest {
                client: Some([192, 0, 2, 7].into()),
                peer: None,
                forwarded: 1,
                trusted_hops: 1,
                proto: Some("https".into()),
                public: "https://id.example.org".into(),
                version: "1".into(),
            },
            facts: DecisionFacts { flavour: "nginx".into(), has_query: false, has_unlisted: true },
        }
    }

    #[test]
    fn a_decided_request_is_read_from_the_name_that_it_was_written_to() {
        let secret = Secret::parse("0123456789abcdefghijklmnopqrstuvwxyz").unwrap();
        let (now, _) = stamp().unwrap();
        let name = decided(now).signed_name(&secret).unwrap();
        let (read, rest) = DecidedRequest::of_header(&secret, &name).unwrap();
        assert_eq!((read.target.as_str(), rest), ("/.latchkey/echo?x", DoctorUser::NAME));
        assert!(read.facts.has_unlisted && read.seen.client == decided(now).seen.client);
        // Proxies allow 4 KiB for all headers of a response, unless they are told otherwise.
        assert!(name.len() < 1500, "{}", name.len());
        let theirs = Secret::parse("zyxwvutsrqponmlkjihgfedcba9876543210").unwrap();
        let other = decided(now).signed_name(&theirs).unwrap();
        let old = decided(now - 3600).signed_name(&secret).unwrap();
        let changed = name.replacen(&name[40..41], if &name[40..41] == "a" { "b" } else { "a" }, 1);
        for text in ["", "Ada", DoctorUser::NAME, "a b.c", &other, &old, &changed] {
            assert!(DecidedRequest::of_header(&secret, text).is_none(), "{text}");
        }
    }
}
