//! The named parts of a long run, of which a command runs all or some.

/// A part by its name.
pub type Part<R> = (&'static str, fn() -> R);

/// The parts with these names, or all of them for `all`. An unknown name lists all.
pub fn chosen<R>(parts: &[Part<R>], names: &str) -> Vec<Part<R>> {
    if names == "all" {
        return parts.to_vec();
    }
    let known: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    let find = |name: &str| {
        let part = parts.iter().find(|(known, _)| *known == name);
        *part.unwrap_or_else(|| panic!("no {name}: {}", known.join(", ")))
    };
    names.split_whitespace().map(find).collect()
}
