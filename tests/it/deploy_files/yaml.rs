//! A parser for the part of YAML that our descriptors use, for the tests of `deploy_files`.

/// The supported part of YAML: block maps, block lists, one-line scalars, and comments on lines of their own. Anything
/// else panics, so that it is never misread.
#[derive(Clone, Debug)]
pub enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { panic!("{key}: asked of {self:?}") };
        pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn at(&self, key: &str) -> &Self {
        self.get(key).unwrap_or_else(|| panic!("no {key}"))
    }

    /// The text under `key`; empty if there is none.
    pub fn optional(&self, key: &str) -> &str {
        self.get(key).map_or("", Self::text)
    }

    pub fn only(&self, keys: &[&str]) -> bool {
        matches!(self, Self::Map(pairs) if pairs.iter().all(|(name, _)| keys.contains(&name.as_str())))
    }

    pub fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    pub fn list(&self) -> &[Self] {
        let Self::List(items) = self else { panic!("no list: {self:?}") };
        items
    }

    pub fn texts(&self) -> Vec<&str> {
        self.list().iter().map(Self::text).collect()
    }
}

/// The documents of a file.
pub fn documents(text: &str) -> Vec<Yaml> {
    text.split("\n---\n").map(yaml).collect()
}

pub fn yaml(text: &str) -> Yaml {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        assert!(!line.contains('\t') && !line.contains(" #") && line.trim_end() == line, "{line:?}");
        let content = line.trim_start();
        lines.push((line.len() - content.len(), content.to_owned()));
    }
    let mut at = 0;
    let file = block(&mut lines, &mut at, 0);
    assert_eq!(at, lines.len(), "not understood: {:?}", lines.get(at));
    file
}

/// The list or map whose lines begin at column `indent`.
fn block(lines: &mut [(usize, String)], at: &mut usize, indent: usize) -> Yaml {
    let (mut items, mut pairs) = (Vec::new(), Vec::new());
    while let Some((column, content)) = lines.get(*at).cloned().filter(|(column, _)| *column >= indent) {
        assert_eq!(column, indent, "{content}: unexpected indentation");
        if let Some(item) = content.strip_prefix("- ") {
            if pair(item).is_some() {
                // A map that begins after the dash: parsed as if it began on its own line, two columns further right.
                lines[*at] = (indent + 2, item.to_owned());
                items.push(block(lines, at, indent + 2));
            } else {
                items.push(scalar(item));
                *at += 1;
            }
        } else {
            let (key, value) = pair(&content).unwrap_or_else(|| panic!("{content}: no key"));
            assert!(!pairs.iter().any(|(name, _)| name == key), "{key}: twice");
            *at += 1;
            let deeper = lines.get(*at).map(|(column, _)| *column).filter(|column| *column > indent);
            pairs.push((
                key.to_owned(),
                match (value, deeper) {
                    ("", Some(column)) => block(lines, at, column),
                    (value, _) => scalar(value),
                },
            ));
        }
    }
    assert!(items.is_empty() != pairs.is_empty(), "neither list nor map at line {at}");
    if pairs.is_empty() { Yaml::List(items) } else { Yaml::Map(pairs) }
}

/// `key: value` or `key:`.
fn pair(content: &str) -> Option<(&str, &str)> {
    let (key, value) = content.strip_suffix(':').map(|key| (key, "")).or_else(|| content.split_once(": "))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some((key, value))
}

fn scalar(text: &str) -> Yaml {
    if let Some(quoted) = text.strip_prefix('"') {
        let inner = quoted.strip_suffix('"').unwrap();
        assert!(!inner.contains(['"', '\\']), "{text}: escapes are not understood");
        return Yaml::Text(inner.into());
    }
    assert!(
        !text.starts_with(['&', '*', '!', '|', '>', '{', '[', '%', '@', '`', '\'', '?']),
        "{text}: not understood"
    );
    assert!(!text.contains(": "), "{text}: needs quotes");
    Yaml::Text(text.into())
}
