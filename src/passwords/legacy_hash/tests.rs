//! Hashes that the real software made (tests/it/fixtures), and hashes that must be refused.

use std::time::Instant;

use data_encoding::{BASE64, BASE64_NOPAD};
use proptest::prelude::*;
use serde_json::Value;

use super::bounds::{MAX_ARGON2_KIB, MAX_BCRYPT_COST, MAX_MEMORY_KIB, MAX_SCRYPT_KIB};
use super::{LegacyHash, LegacyHashError, Scheme};
use crate::passwords::{Argon2Params, HashCost};

fn made() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/hashes.jsonl")).unwrap()
}

const BCRYPT: &str = "$2b$12$yg6qd2J5YKpN4ulo14FAFuoBVTA0x65j4xMMV2movD4uQgdKZrRe2";
const ARGON2: &str =
    "$argon2id$v=19$m=65536,t=3,p=4$y4vZWmSqYHz1vazfFCPGMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const SCRYPT: &str =
    "$scrypt$ln=14,r=8,p=2$jlFqLeUcQ2iNMWaMsTbmfA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PBKDF2: &str = "pbkdf2_sha256$600000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const PBKDF2_SHA512: &str = "$pbkdf2-sha512$210000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const DJANGO_SCRYPT: &str = "scrypt$16384$salt$8$5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn refusal(text: &str) -> Option<LegacyHashError> {
    LegacyHash::read(text).err()
}

#[test]
fn hashes_of_the_real_things_match_their_passwords_and_no_others() {
    for (number, line) in made().lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap();
        let read =
            LegacyHash::read(text("hash")).unwrap_or_else(|why| panic!("{}: {why:?}", text("made_by")));
        assert!(read.matches(text("password").as_bytes()).unwrap(), "{}", text("made_by"));
        // A wrong one takes as long, and every format is also tried through the form, so some are enough here.
        assert!(number % 5 != 0 || !read.matches(b"another").unwrap(), "{}", text("made_by"));
        let kept = LegacyHash::read(&read.stored_form(text("hash"))).unwrap();
        assert!(kept.scheme == read.scheme && kept.salt == read.salt && kept.expected == read.expected);
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_and_djangos_longer_form_at_all() {
    let made = made();
    let row = |made_by: &str| {
        let mut rows = made.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.find(|row| row["made_by"] == made_by && row["password"].as_str().unwrap().len() == 100).unwrap()
    };
    for (made_by, cut) in [("as php writes bcrypt", true), ("django bcrypt_sha256", false)] {
        let read = LegacyHash::read(row(made_by)["hash"].as_str().unwrap()).unwrap();
        assert_eq!(read.matches("x".repeat(72).as_bytes()).unwrap(), cut, "{made_by}");
        assert!(!read.matches("x".repeat(71).as_bytes()).unwrap());
    }
    assert!(!LegacyHash::read(BCRYPT).unwrap().matches(b"tr0ub4dor&3\0more").unwrap());
}

#[test]
fn what_costs_too_much_is_refused_before_anything_is_worked_out() {
    for (good, from, to) in [
        (BCRYPT, "$12$", "$13$"),
        (BCRYPT, "$12$", "$31$"),
        (ARGON2, "m=65536", "m=262145"),
        (ARGON2, "m=65536,t=3", "m=262144,t=2"),
        (ARGON2, "m=65536", "m=4294967295"),
        (ARGON2, "m=65536", "m=99999999999999999999"),
        (ARGON2, "t=3", "t=5"),
        (ARGON2, "t=3", "t=4294967295"),
        (ARGON2, "p=4", "p=65"),
        (SCRYPT, "ln=14", "ln=19"),
        (SCRYPT, "ln=14", "ln=63"),
        (SCRYPT, "ln=14", "ln=300"),
        (SCRYPT, "r=8", "r=4294967295"),
        (SCRYPT, "p=2", "p=65"),
        (SCRYPT, "ln=14,r=8,p=2", "ln=17,r=8,p=2"),
        (SCRYPT, "ln=14,r=8,p=2", "ln=15,r=8,p=32"),
        (DJANGO_SCRYPT, "16384", "2147483648"),
        (PBKDF2, "600000", "1500001"),
        (PBKDF2, "600000", "99999999999"),
        (PBKDF2, "sha256$600000", "sha1$1000001"),
        (PBKDF2_SHA512, "210000", "600001"),
    ] {
        assert_eq!(refusal(good), None, "{good}");
        let why = refusal(&good.replacen(from, to, 1));
        assert!(matches!(why, Some(LegacyHashError::TooCostly(_))), "{from} → {to}: {why:?}");
    }
}

#[test]
fn what_is_not_well_formed_or_known_is_refused() {
    for (good, from, to) in [
        (BCRYPT, "$12$", "$3$"),
        (BCRYPT, "$12$", "$03$"),
        (BCRYPT, "$12$", "$+9$"),
        (BCRYPT, "Re2", "Re"),
        (BCRYPT, "Re2", "R\u{e9}"),
        (BCRYPT, "yg6", "y=6"),
        (ARGON2, "v=19", "v=20"),
        (ARGON2, "m=65536", "m=7"),
        (ARGON2, "t=3", "t=0"),
        (ARGON2, "p=4", "p=0"),
        (ARGON2, "p=4", "p=4,data=AAAA"),
        (ARGON2, "m=65536,t=3", "t=3,m=65536"),
        (ARGON2, "$y4vZWmSqYHz1vazfFCPGMA", ""),
        (ARGON2, "$AAAAAAAAAAAAAAAAAAAAAAAAA", "$"),
        (SCRYPT, "ln=14", "ln=0"),
        (SCRYPT, "r=8", "r=0"),
        (DJANGO_SCRYPT, "16384", "16383"),
        (DJANGO_SCRYPT, "16384", "0"),
        (PBKDF2, "600000", "0"),
        (PBKDF2, "600000", "-1"),
        (PBKDF2, "$salt", "$"),
        (PBKDF2, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
    ] {
        assert_eq!(refusal(&good.replacen(from, to, 1)), Some(LegacyHashError::Broken), "{from} → {to}");
    }
    for unknown in [
        "",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$6$rounds=5000$salt$hash",
        "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e",
        "md5$salt$hash",
        "plain text",
        &"$".repeat(600),
    ] {
        assert_eq!(refusal(unknown), Some(LegacyHashError::Unknown), "{unknown}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*") {
        let _ = LegacyHash::read(&text);
    }

    #[test]
    fn every_parsed_hash_stays_within_its_bounds(
        form in prop::sample::select(vec![BCRYPT, ARGON2, SCRYPT, PBKDF2, DJANGO_SCRYPT]),
        numbers in prop::collection::vec("[0-9]{1,12}", 3),
        cut in any::<prop::sample::Index>(),
        put in "[$=,a-zA-Z0-9.+/]{0,3}",
    ) {
        let mut numbers = numbers.into_iter();
        let mut text: String = form
            .split_inclusive(['=', '$', ','])
            .map(|part| match part.trim_end_matches([',', '$']).parse::<u64>() {
                Ok(old) if old != 19 => part.replacen(&old.to_string(), &numbers.next().unwrap_or_default(), 1),
                _ => part.to_owned(),
            })
            .collect();
        text.insert_str(cut.index(text.len() + 1), &put);
        if let Ok(read) = LegacyHash::read(&text) {
            match read.scheme {
                Scheme::Argon2 { memory_kib, iterations, .. } => {
                    prop_assert!(u64::from(memory_kib) <= MAX_MEMORY_KIB);
                    prop_assert!(u64::from(memory_kib) * u64::from(iterations) <= MAX_ARGON2_KIB);
                }
                Scheme::Bcrypt { cost, .. } => prop_assert!((4..=MAX_BCRYPT_COST).contains(&cost)),
                Scheme::Scrypt { log_n, r, p } => {
                    let bytes = (128 * u128::from(r)) << log_n;
                    prop_assert!(bytes <= u128::from(MAX_MEMORY_KIB) * 1024);
                    prop_assert!(bytes * u128::from(p) <= u128::from(MAX_SCRYPT_KIB) * 1024);
                }
                Scheme::Pbkdf2 { digest, iterations } => {
                    prop_assert!((1..=digest.max_iterations()).contains(&iterations));
                    prop_assert!(read.expected.len() <= digest.size());
                }
            }
            prop_assert!((16..=64).contains(&read.expected.len()) && !read.salt.is_empty());
        }
    }
}

/// The costliest accepted hash of each kind.
fn costliest() -> [String; 8] {
    let bytes = |n: usize| BASE64.encode(&vec![1; n]);
    [
        BCRYPT.to_owned(),
        PBKDF2.replace("600000", "1500000"),
        format!("pbkdf2_sha1$1000000$salt${}", bytes(20)),
        format!("$pbkdf2-sha512$i=600000,l=64$c2FsdHNhbHQ${}", bytes(64)),
        format!("$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ${}", bytes(32)),
        format!("$scrypt$ln=12,r=8,p=32$c2FsdHNhbHQ${}", bytes(64)),
        format!("$argon2id$v=19$m=262144,t=1,p=1$c2FsdHNhbHQ${}", bytes(32)),
        format!("$argon2i$v=16$m=8192,t=32,p=1$c2FsdHNhbHQ${}", bytes(32)),
    ]
}

/// Relative to one of Latchkey's hashes, so that the limit also holds on slower machines. Measured: 10 to 20 times as
/// much; the earlier limits allowed 130 times as much.
#[test]
fn the_costliest_that_is_taken_costs_some_twenty_of_ours() {
    let least = |work: &mut dyn FnMut()| {
        let took = (0..3).map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        });
        took.min().unwrap()
    };
    let own = Argon2Params::dummy(&HashCost::default()).unwrap();
    let mut memory = vec![argon2::Block::new(); own.blocks()];
    let ours = least(&mut || drop(own.derive(b"gravel otter lemon", &mut memory).unwrap()));
    for text in costliest() {
        let read = LegacyHash::read(&text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        let theirs = least(&mut || assert!(!read.matches(b"gravel otter lemon").unwrap()));
        assert!(theirs < ours * 50, "{text}: {theirs:?}, ours {ours:?}");
    }
}

/// As Keycloak wrote it for years: twice the bytes that the digest gives.
#[test]
fn a_longer_output_of_pbkdf2_is_compared_by_its_first_block() {
    let mut made = [0; 256];
    for length in [16, 20, 21, 32, 33, 40, 64, 128, 256] {
        let text = |name: &str, output: &[u8]| {
            let hash = BASE64_NOPAD.encode(output);
            format!("${name}$i=1000,l={length}$c2FsdHNhbHQ${hash}")
        };
        let output = &mut made[..length];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(b"gravel otter", b"saltsalt", 1000, output);
        let sha256 = text("pbkdf2-sha256", output);
        // An error in the first block is noticed; the later blocks are not compared.
        output[0] ^= 1;
        let broken = text("pbkdf2-sha256", output);
        pbkdf2::pbkdf2_hmac::<sha2::Sha512>(b"gravel otter", b"saltsalt", 1000, output);
        let sha512 = text("pbkdf2-sha512", output);
        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(b"gravel otter", b"saltsalt", 1000, output);
        for text in [sha256, sha512, text("pbkdf2-sha1", output), text("pbkdf2", output)] {
            let read = LegacyHash::read(&text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert!(
                read.matches(b"gravel otter").unwrap() && !read.matches(b"gravel ottes").unwrap(),
                "{text}"
            );
        }
        assert!(!LegacyHash::read(&broken).unwrap().matches(b"gravel otter").unwrap(), "{broken}");
    }
    for length in [0, 1, 15, 257, 300] {
        let hash = BASE64.encode(&vec![1; length]);
        assert!(refusal(&format!("pbkdf2_sha256$1000$salt${hash}")).is_some(), "{length}");
    }
}
