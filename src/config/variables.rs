//! Environment variables as the settings read them: white space around a value is not part of it, and an empty
//! variable is not set.

use std::collections::HashMap;
use std::ffi::OsString;

use super::problems::{Misconfigured, Problems};

/// The environment with trimmed values: secrets made with `echo` end in a line break, and compose files write
/// `NAME: ${NAME:-}` for a variable that is not set.
pub struct Variables(HashMap<String, String>);

impl Variables {
    pub fn new(environment: HashMap<String, String>) -> Self {
        let tidy = environment.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        Self(tidy.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The environment of this process.
    ///
    /// # Errors
    /// If a variable of Latchkey is not UTF-8: ignoring it would silently use the default.
    pub fn of_this_process() -> Result<Self, Misconfigured> {
        let mut problems = Problems::default();
        let mut environment = HashMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    environment.insert(name, value);
                }
                Err(_) if is_setting(&name) => problems.add(format!("{name} is not UTF-8")),
                Err(_) => {}
            }
        }
        problems.check().map(|()| Self::new(environment))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Variables of the form `LATCHKEY__SECTION__KEY`.
    pub fn ours(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| name.starts_with("LATCHKEY__"))
    }

    /// The settings whose value still has the quotation marks of an env file. Secrets are left out, because a secret may begin
    /// and end with one.
    pub fn quoted(&self) -> Vec<&str> {
        let is_quoted = |value: &str| {
            ['"', '\'']
                .iter()
                .any(|mark| value.len() > 1 && value.starts_with(*mark) && value.ends_with(*mark))
        };
        let names = self.0.iter().filter(|(name, value)| {
            is_setting(name) && !name.contains("SECRET") && !name.contains("PASSWORD") && is_quoted(value)
        });
        let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The settings whose value is still the placeholder of an example.
    pub fn placeholders(&self) -> Vec<&str> {
        let names = self.0.iter().filter(|(name, value)| is_setting(name) && value.contains(PLACEHOLDER));
        let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// The placeholder in the files of `deploy/`.
const PLACEHOLDER: &str = "REPLACE-ME";

fn is_setting(name: &str) -> bool {
    ["PORT", "DATABASE_URL"].contains(&name)
        || ["LATCHKEY_", "PG", "CHOREO_"].iter().any(|prefix| name.starts_with(prefix))
}

/// The `PG…` variables that libpq would misread, each with its corrected value; `None` means unset. libpq reads the
/// environment itself, and an empty `PGSSLMODE` or a line break after `PGHOST` is an error.
pub fn untidy_libpq(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(String, Option<String>)> {
    let texts =
        environment.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let untidy = texts.filter(|(name, value)| {
        name.starts_with("PG") && (value.is_empty() || value.trim().len() != value.len())
    });
    untidy
        .map(|(name, value)| {
            let value = value.trim();
            (name, (!value.is_empty()).then(|| value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn white_space_around_a_value_is_not_part_of_it_and_an_empty_variable_is_not_set() {
        let variables =
            variables(&[("PORT", " 8080\r\n"), ("DATABASE_URL", ""), ("LATCHKEY__SECRET", "\t\n")]);
        assert_eq!(variables.get("PORT"), Some("8080"));
        assert_eq!(variables.get("DATABASE_URL"), None);
        assert_eq!(variables.ours().count(), 0);
    }

    #[test]
    fn quotation_marks_are_found_where_they_cannot_be_meant() {
        let variables = variables(&[
            ("LATCHKEY__SERVER__PUBLIC_URL", "\"https://id.example.org\""),
            ("CHOREO_APP_DB_HOSTNAME", "'db'\n"),
            ("CHOREO_APP_DB_PASSWORD", "\"it may\""),
            ("LATCHKEY__SECRET", "'0123456789abcdefghijklmnopqrstuvwxyz'"),
            ("LATCHKEY__MAIL__FROM", "\"Müller, Büro\" <no-reply@example.org>"),
            ("SHELL_PROMPT", "\"not ours\""),
            ("PORT", "\""),
        ]);
        assert_eq!(variables.quoted(), ["CHOREO_APP_DB_HOSTNAME", "LATCHKEY__SERVER__PUBLIC_URL"]);
    }

    #[test]
    fn only_what_libpq_would_misread_is_tidied() {
        let environment = [("PGHOST", "db\n"), ("PGSSLMODE", ""), ("PGUSER", "ada"), ("PATH", " /bin ")];
        let mut untidy =
            untidy_libpq(environment.map(|(name, value)| (name.into(), value.into())).into_iter());
        untidy.sort();
        assert_eq!(untidy, [("PGHOST".into(), Some("db".into())), ("PGSSLMODE".into(), None)]);
    }
}
