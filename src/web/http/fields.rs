//! The type of a field decides whether its value is shown again: [`Text`](super::form::Text) is,
//! [`SecretText`](super::form::SecretText) is not, and no other type is. The types are recognised during
//! deserialisation, so there is no list of names that could become outdated.

use std::cell::Cell;

use serde::Deserializer;
use serde::de::value::{Error, MapAccessDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

type Pair = (String, String);

/// The type that a field turned out to have.
#[derive(Clone, Copy, Default, PartialEq)]
enum FieldKind {
    Text,
    Secret,
    /// Not a field of the form, or of another type.
    #[default]
    Other,
}

/// The input, and which of it may be shown again; with `secrets`, because the user pressed "Show", secret fields as
/// well.
pub fn read<T: DeserializeOwned>(pairs: &[Pair], secrets: bool) -> Result<(T, Vec<Pair>), Error> {
    let kinds: Vec<Cell<FieldKind>> = pairs.iter().map(|_| Cell::default()).collect();
    let access = PairAccess { rest: pairs.iter().zip(&kinds), value: None };
    let input = T::deserialize(MapAccessDeserializer::new(access))?;
    let comes_back = |kind: FieldKind| kind == FieldKind::Text || secrets && kind == FieldKind::Secret;
    let back = pairs.iter().zip(&kinds).filter(|(_, kind)| comes_back(kind.get()));
    Ok((input, back.map(|(pair, _)| pair.clone()).collect()))
}

/// The names of the fields of `T` that are shown again.
pub fn texts<T: DeserializeOwned>() -> Vec<&'static str> {
    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(FieldNames(&mut names));
    let comes_back = |name: &&str| {
        let pair = [((*name).to_owned(), String::new())];
        read::<T>(&pair, false).is_ok_and(|(_, back)| !back.is_empty())
    };
    names.iter().copied().filter(comes_back).collect()
}

struct PairAccess<'p, I> {
    rest: I,
    value: Option<(&'p str, &'p Cell<FieldKind>)>,
}

impl<'p, I> MapAccess<'p> for PairAccess<'p, I>
where
    I: Iterator<Item = (&'p Pair, &'p Cell<FieldKind>)>,
{
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'p>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(((name, value), kind)) = self.rest.next() else { return Ok(None) };
        self.value = Some((value.as_str(), kind));
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'p>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (text, kind) = self.value.take().ok_or_else(|| Error::custom("a value without its name"))?;
        seed.deserialize(FieldValue { text, kind })
    }
}

struct FieldValue<'p> {
    text: &'p str,
    kind: &'p Cell<FieldKind>,
}

impl<'de> Deserializer<'de> for FieldValue<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.kind.set(match name {
            "Text" => FieldKind::Text,
            "SecretText" => FieldKind::Secret,
            _ => FieldKind::Other,
        });
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Asks a struct for the names of its fields, and gives it no values.
struct FieldNames<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::form::{SecretText, Text};
    use secrecy::ExposeSecret as _;
    use serde::Deserialize;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        email: Text,
        password: SecretText,
        /// Declared with neither of the two types.
        pin: String,
    }

    fn pairs(given: &[(&str, &str)]) -> Vec<Pair> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn text_comes_back_and_nothing_else_does() {
        let sent = pairs(&[("password", "p"), ("extra", "x"), ("email", "ada@example.org"), ("pin", "1843")]);
        let (input, back) = read::<Sample>(&sent, false).unwrap();
        assert_eq!(back, pairs(&[("email", "ada@example.org")]));
        assert_eq!((input.email.as_str(), &*input.pin), ("ada@example.org", "1843"));
        assert_eq!(input.password.into_secret().expose_secret(), "p");
        let (_, shown) = read::<Sample>(&sent, true).unwrap();
        assert_eq!(shown, pairs(&[("password", "p"), ("email", "ada@example.org")]));
        assert_eq!(texts::<Sample>(), ["email"]);
    }

    #[test]
    fn what_is_missing_is_empty() {
        let (input, back) = read::<Sample>(&[], true).unwrap();
        assert!(input.email.as_str().is_empty() && input.pin.is_empty() && back.is_empty());
        assert_eq!(input.password.into_secret().expose_secret(), "");
    }

    #[test]
    fn a_field_that_comes_twice_has_no_meaning() {
        assert!(read::<Sample>(&pairs(&[("email", "a"), ("email", "b")]), false).is_err());
    }
}
