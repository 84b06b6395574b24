//! Which tokens are accepted, and which are refused for which reason.

use jsonwebtoken::{DecodingKey, EncodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://lab.example.org";
const AUDIENCE: &str = "a shop";
const NOW: i64 = 1_800_000_000;

const BOTH: [Algorithm; 2] = [Algorithm::Hs256, Algorithm::EdDsa];

fn key(algorithm: Algorithm) -> JwtKey {
    JwtKey::new(algorithm, "spring", &[7; 32])
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

/// A correctly signed token with the given header.
fn with_header(key: &JwtKey, header: Value) -> String {
    signed(key, &header, &claims()).unwrap()
}

fn refusal(algorithm: Algorithm, token: &str) -> Refusal {
    verifier(algorithm).verify(TokenUse::Access, token, NOW).unwrap_err()
}

/// The refusal of a token with these claims, which must be the same for both algorithms.
fn refused(change: impl Fn(&mut Claims)) -> Refusal {
    let mut claims = claims();
    change(&mut claims);
    let [one, other] =
        BOTH.map(|algorithm| refusal(algorithm, &sign(&key(algorithm), TokenUse::Access, &claims).unwrap()));
    assert_eq!(one, other);
    one
}

#[test]
fn a_signed_token_is_accepted_until_it_expires() {
    for algorithm in BOTH {
        for use_ in [TokenUse::Access, TokenUse::Refresh] {
            let token = sign(&key(algorithm), use_, &claims()).unwrap();
            for now in [NOW, NOW + 299] {
                assert_eq!(verifier(algorithm).verify(use_, &token, now), Ok(claims()));
            }
        }
    }
}

#[test]
fn validity_has_no_leeway_at_either_end() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), TokenUse::Access, &claims()).unwrap();
        let verify = |now| verifier(algorithm).verify(TokenUse::Access, &token, now);
        assert_eq!(verify(NOW + 300), Err(Refusal::Expired { at: NOW + 300 }));
        assert_eq!(verify(NOW - 1), Err(Refusal::NotYet));
    }
}

#[test]
fn issuer_and_audience_are_checked() {
    assert_eq!(refused(|claims| claims.iss = "https://lab.example.com".into()), Refusal::Issuer);
    assert_eq!(refused(|claims| claims.aud = vec!["a library".into()]), Refusal::Audience);
    assert_eq!(refused(|claims| claims.aud = vec![]), Refusal::Audience);
}

#[test]
fn refresh_and_access_tokens_are_not_interchangeable() {
    for algorithm in BOTH {
        for (made, asked) in [(TokenUse::Refresh, TokenUse::Access), (TokenUse::Access, TokenUse::Refresh)] {
            let token = sign(&key(algorithm), made, &claims()).unwrap();
            let refusal = verifier(algorithm).verify(asked, &token, NOW);
            assert_eq!(refusal, Err(Refusal::Type { found: made.typ().into() }));
        }
        let untyped = with_header(&key(algorithm), json!({ "alg": algorithm.name(), "kid": "spring" }));
        assert_eq!(refusal(algorithm, &untyped), Refusal::Type { found: String::new() });
        // RFC 9068 allows the long form of the type, RFC 7515 any case.
        let long = json!({ "alg": algorithm.name(), "kid": "spring", "typ": "application/AT+JWT" });
        assert!(
            verifier(algorithm).verify(TokenUse::Access, &with_header(&key(algorithm), long), NOW).is_ok()
        );
    }
}

#[test]
fn a_token_without_an_accepted_algorithm_is_refused() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), TokenUse::Access, &claims()).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        for none in ["none", "None", "NONE", "nOnE", "", "hs256", "HS512", "RS256", "ES256"] {
            let header = json!({ "alg": none, "typ": "at+jwt", "kid": "spring" });
            let header = part(&header).unwrap();
            for signature in ["", token.rsplit('.').next().unwrap()] {
                let token = format!("{header}.{payload}.{signature}");
                assert_eq!(refusal(algorithm, &token), Refusal::Algorithm { found: none.into() });
            }
        }
        let nothing = format!("{}.{payload}.", part(&json!({ "typ": "at+jwt", "kid": "spring" })).unwrap());
        assert_eq!(refusal(algorithm, &nothing), Refusal::Malformed);
    }
}

#[test]
fn a_public_key_is_not_accepted_as_a_shared_secret() {
    let public = key(Algorithm::EdDsa).verifying().try_get_as_bytes().unwrap().to_vec();
    let confused = JwtKey::new(Algorithm::Hs256, "spring", &public.try_into().unwrap());
    let token = sign(&confused, TokenUse::Access, &claims()).unwrap();
    assert_eq!(refusal(Algorithm::EdDsa, &token), Refusal::Algorithm { found: "HS256".into() });
    // Not even if the header claims the other algorithm.
    let lying = with_header(&confused, json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "spring" }));
    assert_eq!(refusal(Algorithm::EdDsa, &lying), Refusal::Signature);
}

#[test]
fn a_shared_secret_is_not_accepted_as_a_private_key() {
    let confused = JwtKey::new(Algorithm::EdDsa, "spring", &[7; 32]);
    let token = sign(&confused, TokenUse::Access, &claims()).unwrap();
    assert_eq!(refusal(Algorithm::Hs256, &token), Refusal::Algorithm { found: "EdDSA".into() });
    let lying = with_header(&confused, json!({ "alg": "HS256", "typ": "at+jwt", "kid": "spring" }));
    assert_eq!(refusal(Algorithm::Hs256, &lying), Refusal::Signature);
}

#[test]
fn a_key_of_the_other_algorithm_is_never_used() {
    for [asked, other] in [BOTH, [BOTH[1], BOTH[0]]] {
        let verifier = Verifier::new(asked, vec![key(other)], ISSUER, AUDIENCE);
        let theirs = sign(&key(other), TokenUse::Access, &claims()).unwrap();
        assert_eq!(
            verifier.verify(TokenUse::Access, &theirs, NOW),
            Err(Refusal::Algorithm { found: other.name().into() })
        );
        let ours = sign(&key(asked), TokenUse::Access, &claims()).unwrap();
        assert_eq!(verifier.verify(TokenUse::Access, &ours, NOW), Err(Refusal::UnknownKey));
    }
}

#[test]
fn keys_are_found_by_their_id_only() {
    for algorithm in BOTH {
        let [spring, autumn] =
            ["spring", "autumn"].map(|id| JwtKey::new(algorithm, id, &[id.len() as u8; 32]));
        let newer = JwtKey::new(algorithm, "autumn", &[9; 32]);
        let old = sign(&spring, TokenUse::Access, &claims()).unwrap();
        let verify =
            |keys| Verifier::new(algorithm, keys, ISSUER, AUDIENCE).verify(TokenUse::Access, &old, NOW);
        // Both keys are accepted during a rotation.
        assert!(verify(vec![newer.clone(), spring.clone()]).is_ok());
        assert_eq!(verify(vec![newer]), Err(Refusal::UnknownKey));
        assert_eq!(verify(vec![]), Err(Refusal::UnknownKey));
        // The same bytes under another id are not tried.
        assert_eq!(verify(vec![autumn]), Err(Refusal::UnknownKey));
        assert_eq!(verify(vec![JwtKey::new(algorithm, "spring", &[1; 32])]), Err(Refusal::Signature));
        let nameless = with_header(&key(algorithm), json!({ "alg": algorithm.name(), "typ": "at+jwt" }));
        assert_eq!(refusal(algorithm, &nameless), Refusal::UnknownKey);
    }
}

#[test]
fn a_key_inside_a_token_is_ignored() {
    let theirs = JwtKey::new(Algorithm::EdDsa, "spring", &[66; 32]);
    let x = BASE64URL_NOPAD.encode(theirs.verifying().try_get_as_bytes().unwrap());
    let extras = json!({
        "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x }, "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain", "x5c": ["AAAA"],
    });
    for kid in [Some("spring"), Some("theirs"), None] {
        let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        header.as_object_mut().unwrap().extend(extras.as_object().unwrap().clone());
        let expected = if kid == Some("spring") { Refusal::Signature } else { Refusal::UnknownKey };
        assert_eq!(refusal(Algorithm::EdDsa, &with_header(&theirs, header.clone())), expected);
        // Signed with our own key it is a valid token with superfluous header members.
        let ours = verifier(Algorithm::EdDsa).verify(
            TokenUse::Access,
            &with_header(&key(Algorithm::EdDsa), header),
            NOW,
        );
        assert_eq!(ours.is_ok(), kid == Some("spring"));
    }
}

#[test]
fn critical_extensions_are_refused() {
    for algorithm in BOTH {
        let header = json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": "spring", "crit": ["b64"], "b64": false });
        assert_eq!(refusal(algorithm, &with_header(&key(algorithm), header)), Refusal::Malformed);
    }
}

#[test]
fn a_modified_token_is_refused() {
    for algorithm in BOTH {
        let token = sign(&key(algorithm), TokenUse::Access, &claims()).unwrap();
        let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let promoted = part(&Claims { role: "admin".into(), ..claims() }).unwrap();
        assert_eq!(refusal(algorithm, &format!("{header}.{promoted}.{signature}")), Refusal::Signature);
        assert_eq!(refusal(algorithm, &format!("{header}.{promoted}.")), Refusal::Signature);
        assert_eq!(refusal(algorithm, &format!("{token}.")), Refusal::Malformed);
        assert_eq!(refusal(algorithm, &format!("{token}=")), Refusal::Malformed);
        assert_eq!(refusal(algorithm, &format!("{token}{}", "A".repeat(5000))), Refusal::Malformed);
    }
}

#[test]
fn missing_and_duplicate_claims_are_refused() {
    for algorithm in BOTH {
        let header = json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": "spring" });
        for name in ["iss", "aud", "sub", "iat", "exp", "jti", "role"] {
            let mut less = serde_json::to_value(claims()).unwrap();
            less.as_object_mut().unwrap().remove(name);
            let token = signed(&key(algorithm), &header, &less).unwrap();
            assert_eq!(refusal(algorithm, &token), Refusal::Malformed, "without {name}");
        }
        for exp in ["1.5", "\"9\"", "null", "99999999999999999999", "1900000000,\"exp\":1900000001"] {
            let text = serde_json::to_string(&claims()).unwrap().replace("1800000300", exp);
            let message = format!("{}.{}", part(&header).unwrap(), BASE64URL_NOPAD.encode(text.as_bytes()));
            let (private, jose) = (key(algorithm), algorithm.in_jose());
            let signature = crypto::sign(message.as_bytes(), private.private().unwrap(), jose).unwrap();
            assert_eq!(refusal(algorithm, &format!("{message}.{signature}")), Refusal::Malformed, "{exp}");
        }
    }
}

#[test]
fn a_public_key_cannot_sign() {
    for algorithm in BOTH {
        assert_eq!(
            sign(&key(algorithm).public(), TokenUse::Access, &claims()),
            Err(SigningError::VerifyOnly)
        );
    }
}

#[test]
fn every_holder_can_read_the_claims() {
    for algorithm in BOTH {
        let readable = read(&sign(&key(algorithm), TokenUse::Access, &claims()).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&readable.payload).unwrap(), claims());
        assert!(readable.payload.contains("\n  \"role\": \"member\""), "{}", readable.payload);
        let header: Value = serde_json::from_str(&readable.header).unwrap();
        assert_eq!(header, json!({ "typ": "at+jwt", "alg": algorithm.name(), "kid": "spring" }));
    }
    for nonsense in ["", ".", "..", "a.b.c", "e30", "e30.e30", "e30.e30.x.y", "e30.W10.x", "e30=.e30.x"] {
        assert_eq!(read(nonsense), None, "{nonsense}");
    }
    assert!(read("e30.e30.").is_some());
}

#[test]
fn refusals_are_one_line_and_escape_what_the_token_says() {
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
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text}");
    }
}

/// RFC 7515, appendix A.1.
#[test]
fn the_rfc_example_of_hs256_verifies() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap();
    let [private, verifying] = [&secret, &secret];
    let key = JwtKey::of(
        Algorithm::Hs256,
        "",
        EncodingKey::from_secret(private),
        DecodingKey::from_secret(verifying),
    );
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                   Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    verifies(&key, message, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    // We did not issue it: its type is not ours.
    let token = format!("{message}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(refusal(Algorithm::Hs256, &token), Refusal::Type { found: "JWT".into() });
}

/// RFC 8037, appendices A.1, A.2, A.4 and A.5.
#[test]
fn the_rfc_example_of_ed25519_verifies() {
    let seed = BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = JwtKey::new(Algorithm::EdDsa, "", &seed.try_into().unwrap());
    let public = BASE64URL_NOPAD.encode(key.verifying().try_get_as_bytes().unwrap());
    assert_eq!(public, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    verifies(
        &key,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[track_caller]
fn verifies(key: &JwtKey, message: &str, signature: &str) {
    let algorithm = key.algorithm().in_jose();
    assert_eq!(crypto::sign(message.as_bytes(), key.private().unwrap(), algorithm).unwrap(), signature);
    assert!(crypto::verify(signature, message.as_bytes(), key.verifying(), algorithm).unwrap());
    let other = format!("{message}x");
    assert!(!crypto::verify(signature, other.as_bytes(), key.verifying(), algorithm).unwrap());
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused(text in "[ -~]{0,200}|\\PC{0,60}|[A-Za-z0-9_.-]{0,300}") {
        for algorithm in BOTH {
            prop_assert!(verifier(algorithm).verify(TokenUse::Access, &text, NOW).is_err());
        }
        let _ = read(&text);
    }

    /// One character of a valid token is replaced or removed.
    #[test]
    fn no_character_of_a_token_can_be_changed(at in 0usize..300, to in "[A-Za-z0-9_.=-]?", which in 0usize..2) {
        let token = sign(&key(BOTH[which]), TokenUse::Access, &claims()).unwrap();
        let at = at % token.len();
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(verifier(BOTH[which]).verify(TokenUse::Access, &changed, NOW).is_err());
    }

    #[test]
    fn verified_claims_equal_the_signed_ones(
        sub in "\\PC{0,40}", role in "\\PC{0,40}", seed in any::<[u8; 32]>(), life in 1i64..10_000
    ) {
        for algorithm in BOTH {
            let key = JwtKey::new(algorithm, "any", &seed);
            let given = Claims { sub: sub.clone(), role: role.clone(), exp: NOW + life, ..claims() };
            let token = sign(&key, TokenUse::Access, &given).unwrap();
            let verifier = Verifier::new(algorithm, vec![key.public()], ISSUER, AUDIENCE);
            prop_assert_eq!(verifier.verify(TokenUse::Access, &token, NOW), Ok(given));
        }
    }
}
