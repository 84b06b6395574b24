//! Everything that must not be believed, and what must.

use jsonwebtoken::{DecodingKey, EncodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://lab.example.org";
const AUDIENCE: &str = "a shop";
const NOW: i64 = 1_800_000_000;

const BOTH: [Algorithm; 2] = [Algorithm::Hs256, Algorithm::EdDsa];

fn key(algorithm: Algorithm) -> Key {
    Key::new(algorithm, "spring", &[7; 32])
}

fn verifier(algorithm: Algorithm) -> Verifier {
    Verifier::new(algorithm, vec![key(algorithm).public()], ISSUER, AUDIENCE)
}

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        aud: vec!["a library".into(), AUDIENCE.into()],
        sub: "ada".into(),
        iat: NOW,
        exp: NOW + 300,
        jti: "1".into(),
        role: "member".into(),
    }
}

/// Signed as it should be, with any head.
fn headed(key: &Key, head: Value) -> String {
    signed(key, &head, &claims()).unwrap()
}

fn refusal(algorithm: Algorithm, token: &str) -> Refusal {
    verifier(algorithm).verify(Use::Access, token, NOW).unwrap_err()
}

/// What is said of a token with these claims, by either algorithm.
fn refused(change: impl Fn(&mut Claims)) -> Refusal {
    let mut claims = claims();
    change(&mut claims);
    let [one, other] =
        BOTH.map(|algorithm| refusal(algorithm, &sign(&key(algorithm), Use::Access, &claims).unwrap()));
    assert_eq!(one, other);
    one
}

#[test]
fn what_is_signed_is_believed_until_its_end() {
    for algorithm in BOTH {
        for use_ in [Use::Access, Use::Refresh] {
            let token = sign(&key(algorithm), use_, &claims()).unwrap();
            for now in [NOW, NOW + 299] {
                assert_eq!(verifier(algorithm).verify(use_, &token, now), Ok(claims()));
            }
        }
    }
}

#[test]
fn there_is_no_leeway_at_either_end() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), Use::Access, &claims()).unwrap();
        let verify = |now| verifier(algorithm).verify(Use::Access, &token, now);
        assert_eq!(verify(NOW + 300), Err(Refusal::Expired { at: NOW + 300 }));
        assert_eq!(verify(NOW - 1), Err(Refusal::NotYet));
    }
}

#[test]
fn who_issued_it_and_for_whom_is_asked() {
    assert_eq!(refused(|claims| claims.iss = "https://lab.example.com".into()), Refusal::Issuer);
    assert_eq!(refused(|claims| claims.aud = vec!["a library".into()]), Refusal::Audience);
    assert_eq!(refused(|claims| claims.aud = vec![]), Refusal::Audience);
}

#[test]
fn a_refresh_token_is_no_access_token_and_the_other_way_around() {
    for algorithm in BOTH {
        for (made, asked) in [(Use::Refresh, Use::Access), (Use::Access, Use::Refresh)] {
            let token = sign(&key(algorithm), made, &claims()).unwrap();
            let refusal = verifier(algorithm).verify(asked, &token, NOW);
            assert_eq!(refusal, Err(Refusal::Type { found: made.typ().into() }));
        }
        let untyped = headed(&key(algorithm), json!({ "alg": algorithm.name(), "kid": "spring" }));
        assert_eq!(refusal(algorithm, &untyped), Refusal::Type { found: String::new() });
        // RFC 9068 allows the long form of the type, RFC 7515 any case.
        let long = json!({ "alg": algorithm.name(), "kid": "spring", "typ": "application/AT+JWT" });
        assert!(verifier(algorithm).verify(Use::Access, &headed(&key(algorithm), long), NOW).is_ok());
    }
}

#[test]
fn a_token_that_names_no_algorithm_is_not_believed() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), Use::Access, &claims()).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        for none in ["none", "None", "NONE", "nOnE", "", "hs256", "HS512", "RS256", "ES256"] {
            let head = json!({ "alg": none, "typ": "at+jwt", "kid": "spring" });
            let head = part(&head).unwrap();
            for signature in ["", token.rsplit('.').next().unwrap()] {
                let token = format!("{head}.{payload}.{signature}");
                assert_eq!(refusal(algorithm, &token), Refusal::Algorithm { found: none.into() });
            }
        }
        let nothing = format!("{}.{payload}.", part(&json!({ "typ": "at+jwt", "kid": "spring" })).unwrap());
        assert_eq!(refusal(algorithm, &nothing), Refusal::Malformed);
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let public = key(Algorithm::EdDsa).verifying().try_get_as_bytes().unwrap().to_vec();
    let confused = Key::new(Algorithm::Hs256, "spring", &public.try_into().unwrap());
    let token = sign(&confused, Use::Access, &claims()).unwrap();
    assert_eq!(refusal(Algorithm::EdDsa, &token), Refusal::Algorithm { found: "HS256".into() });
    // Not even where the head lies about it.
    let lying = headed(&confused, json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "spring" }));
    assert_eq!(refusal(Algorithm::EdDsa, &lying), Refusal::Signature);
}

#[test]
fn a_shared_secret_is_no_private_key() {
    let confused = Key::new(Algorithm::EdDsa, "spring", &[7; 32]);
    let token = sign(&confused, Use::Access, &claims()).unwrap();
    assert_eq!(refusal(Algorithm::Hs256, &token), Refusal::Algorithm { found: "EdDSA".into() });
    let lying = headed(&confused, json!({ "alg": "HS256", "typ": "at+jwt", "kid": "spring" }));
    assert_eq!(refusal(Algorithm::Hs256, &lying), Refusal::Signature);
}

#[test]
fn a_key_of_the_other_algorithm_is_never_used() {
    for [asked, other] in [BOTH, [BOTH[1], BOTH[0]]] {
        let verifier = Verifier::new(asked, vec![key(other)], ISSUER, AUDIENCE);
        let theirs = sign(&key(other), Use::Access, &claims()).unwrap();
        assert_eq!(
            verifier.verify(Use::Access, &theirs, NOW),
            Err(Refusal::Algorithm { found: other.name().into() })
        );
        let ours = sign(&key(asked), Use::Access, &claims()).unwrap();
        assert_eq!(verifier.verify(Use::Access, &ours, NOW), Err(Refusal::UnknownKey));
    }
}

#[test]
fn keys_are_found_by_their_id_and_nothing_else() {
    for algorithm in BOTH {
        let [spring, autumn] = ["spring", "autumn"].map(|id| Key::new(algorithm, id, &[id.len() as u8; 32]));
        let newer = Key::new(algorithm, "autumn", &[9; 32]);
        let old = sign(&spring, Use::Access, &claims()).unwrap();
        let verify = |keys| Verifier::new(algorithm, keys, ISSUER, AUDIENCE).verify(Use::Access, &old, NOW);
        // Both are good while one takes over from the other.
        assert!(verify(vec![newer.clone(), spring.clone()]).is_ok());
        assert_eq!(verify(vec![newer]), Err(Refusal::UnknownKey));
        assert_eq!(verify(vec![]), Err(Refusal::UnknownKey));
        // The right bytes under another name are not tried.
        assert_eq!(verify(vec![autumn]), Err(Refusal::UnknownKey));
        assert_eq!(verify(vec![Key::new(algorithm, "spring", &[1; 32])]), Err(Refusal::Signature));
        let nameless = headed(&key(algorithm), json!({ "alg": algorithm.name(), "typ": "at+jwt" }));
        assert_eq!(refusal(algorithm, &nameless), Refusal::UnknownKey);
    }
}

#[test]
fn a_key_that_a_token_brings_along_is_not_looked_at() {
    let theirs = Key::new(Algorithm::EdDsa, "spring", &[66; 32]);
    let x = URL_SAFE_NO_PAD.encode(theirs.verifying().try_get_as_bytes().unwrap());
    let extras = json!({
        "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x }, "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain", "x5c": ["AAAA"],
    });
    for kid in [Some("spring"), Some("theirs"), None] {
        let mut head = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        head.as_object_mut().unwrap().extend(extras.as_object().unwrap().clone());
        let expected = if kid == Some("spring") { Refusal::Signature } else { Refusal::UnknownKey };
        assert_eq!(refusal(Algorithm::EdDsa, &headed(&theirs, head.clone())), expected);
        // By our own key it is a token with something superfluous in its head.
        let ours = verifier(Algorithm::EdDsa).verify(Use::Access, &headed(&key(Algorithm::EdDsa), head), NOW);
        assert_eq!(ours.is_ok(), kid == Some("spring"));
    }
}

#[test]
fn extensions_that_must_be_understood_are_not() {
    for algorithm in BOTH {
        let head = json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": "spring", "crit": ["b64"], "b64": false });
        assert_eq!(refusal(algorithm, &headed(&key(algorithm), head)), Refusal::Malformed);
    }
}

#[test]
fn what_was_changed_on_the_way_is_not_believed() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), Use::Access, &claims()).unwrap();
        let [head, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let promoted = part(&Claims { role: "admin".into(), ..claims() }).unwrap();
        assert_eq!(refusal(algorithm, &format!("{head}.{promoted}.{signature}")), Refusal::Signature);
        assert_eq!(refusal(algorithm, &format!("{head}.{promoted}.")), Refusal::Signature);
        assert_eq!(refusal(algorithm, &format!("{token}.")), Refusal::Malformed);
        assert_eq!(refusal(algorithm, &format!("{token}=")), Refusal::Malformed);
        assert_eq!(refusal(algorithm, &format!("{token}{}", "A".repeat(5000))), Refusal::Malformed);
    }
}

#[test]
fn nothing_may_be_missing_or_said_twice() {
    for algorithm in BOTH {
        let head = json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": "spring" });
        for name in ["iss", "aud", "sub", "iat", "exp", "jti", "role"] {
            let mut less = serde_json::to_value(claims()).unwrap();
            less.as_object_mut().unwrap().remove(name);
            let token = signed(&key(algorithm), &head, &less).unwrap();
            assert_eq!(refusal(algorithm, &token), Refusal::Malformed, "without {name}");
        }
        for exp in ["1.5", "\"9\"", "null", "99999999999999999999", "1900000000,\"exp\":1900000001"] {
            let text = serde_json::to_string(&claims()).unwrap().replace("1800000300", exp);
            let message = format!("{}.{}", part(&head).unwrap(), URL_SAFE_NO_PAD.encode(text));
            let (private, jose) = (key(algorithm), algorithm.in_jose());
            let signature = crypto::sign(message.as_bytes(), private.private().unwrap(), jose).unwrap();
            assert_eq!(refusal(algorithm, &format!("{message}.{signature}")), Refusal::Malformed, "{exp}");
        }
    }
}

#[test]
fn a_public_key_signs_nothing() {
    for algorithm in BOTH {
        assert_eq!(sign(&key(algorithm).public(), Use::Access, &claims()), Err(Error::VerifyOnly));
    }
}

#[test]
fn anybody_can_read_what_it_says() {
    for algorithm in BOTH {
        let readable = read(&sign(&key(algorithm), Use::Access, &claims()).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&readable.payload).unwrap(), claims());
        assert!(readable.payload.contains("\n  \"role\": \"member\""), "{}", readable.payload);
        let head: Value = serde_json::from_str(&readable.header).unwrap();
        assert_eq!(head, json!({ "typ": "at+jwt", "alg": algorithm.name(), "kid": "spring" }));
    }
    for nonsense in ["", ".", "..", "a.b.c", "e30", "e30.e30", "e30.e30.x.y", "e30.W10.x", "e30=.e30.x"] {
        assert_eq!(read(nonsense), None, "{nonsense}");
    }
    assert!(read("e30.e30.").is_some());
}

#[test]
fn refusals_are_plain_sentences() {
    let found = "\u{1b}[31mnone\n".to_owned();
    let all = [
        Refusal::Malformed,
        Refusal::Algorithm { found: found.clone() },
        Refusal::Type { found },
        Refusal::UnknownKey,
        Refusal::Signature,
        Refusal::Expired { at: NOW },
        Refusal::NotYet,
        Refusal::Issuer,
        Refusal::Audience,
    ];
    for refusal in all {
        let text = refusal.to_string();
        assert!(text.ends_with('.') && !text.contains(char::is_control), "{text}");
    }
}

/// RFC 7515, appendix A.1.
#[test]
fn the_example_of_hs256_is_understood() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = URL_SAFE_NO_PAD.decode(secret).unwrap();
    let [private, verifying] = [&secret, &secret];
    let key =
        Key::of(Algorithm::Hs256, "", EncodingKey::from_secret(private), DecodingKey::from_secret(verifying));
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                   Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    holds(&key, message, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    // It is none of ours: its type says nothing.
    let token = format!("{message}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(refusal(Algorithm::Hs256, &token), Refusal::Type { found: "JWT".into() });
}

/// RFC 8037, appendices A.1, A.2, A.4 and A.5.
#[test]
fn the_example_of_ed25519_is_understood() {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = Key::new(Algorithm::EdDsa, "", &seed.try_into().unwrap());
    let public = URL_SAFE_NO_PAD.encode(key.verifying().try_get_as_bytes().unwrap());
    assert_eq!(public, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    holds(
        &key,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[track_caller]
fn holds(key: &Key, message: &str, signature: &str) {
    let algorithm = key.algorithm().in_jose();
    assert_eq!(crypto::sign(message.as_bytes(), key.private().unwrap(), algorithm).unwrap(), signature);
    assert!(crypto::verify(signature, message.as_bytes(), key.verifying(), algorithm).unwrap());
    let other = format!("{message}x");
    assert!(!crypto::verify(signature, other.as_bytes(), key.verifying(), algorithm).unwrap());
}

proptest! {
    #[test]
    fn whatever_is_sent_is_not_believed(text in "[ -~]{0,200}|\\PC{0,60}|[A-Za-z0-9_.-]{0,300}") {
        for algorithm in BOTH {
            prop_assert!(verifier(algorithm).verify(Use::Access, &text, NOW).is_err());
        }
        let _ = read(&text);
    }

    /// One character of a good token is another one, or is missing.
    #[test]
    fn no_character_of_a_token_can_be_changed(at in 0usize..300, to in "[A-Za-z0-9_.=-]?", which in 0usize..2) {
        let token = sign(&key(BOTH[which]), Use::Access, &claims()).unwrap();
        let at = at % token.len();
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(verifier(BOTH[which]).verify(Use::Access, &changed, NOW).is_err());
    }

    #[test]
    fn whatever_is_claimed_comes_back(
        sub in "\\PC{0,40}", role in "\\PC{0,40}", seed in any::<[u8; 32]>(), life in 1i64..10_000
    ) {
        for algorithm in BOTH {
            let key = Key::new(algorithm, "any", &seed);
            let given = Claims { sub: sub.clone(), role: role.clone(), exp: NOW + life, ..claims() };
            let token = sign(&key, Use::Access, &given).unwrap();
            let verifier = Verifier::new(algorithm, vec![key.public()], ISSUER, AUDIENCE);
            prop_assert_eq!(verifier.verify(Use::Access, &token, NOW), Ok(given));
        }
    }
}
