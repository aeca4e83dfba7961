use super::{OF_ONE_DESTINATION, OF_THE_FUNCTION, VARIABLES, distance, help, meant};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names in the text of this repository's sources. A name that ends with `_` is the beginning of several.
fn names_in(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("THROUGHLINE_").filter_map(|(at, _)| {
        let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name: String = text[at..].chars().take_while(|c| letters(*c)).collect();
        (!name.ends_with('_')).then_some(name)
    })
}

/// Names in the sources of a crate; not in its tests, which make some up.
fn names_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let stem = entry.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if entry.is_dir() && stem != "tests" {
            names_below(&entry, names);
        } else if entry.extension().is_some_and(|kind| kind == "rs") && !stem.ends_with("tests") {
            let text = fs::read_to_string(&entry).expect("text");
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            names.extend(names_in(code));
        }
    }
}

fn sources(crates: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut names = BTreeSet::new();
    crates.iter().for_each(|name| names_below(&root.join(name).join("src"), &mut names));
    names
}

#[test]
fn every_variable_in_the_sources_is_known_and_on_the_page_and_none_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let page = fs::read_to_string(root.join("docs/configuration.md")).expect("the page");
    let page: BTreeSet<String> = names_in(&page).collect();
    let read = sources(&["wrapper", "recorder", "extension", "explorer"]);
    let known: BTreeSet<String> = VARIABLES
        .iter()
        .map(|v| v.name)
        .chain(OF_ONE_DESTINATION.iter().chain(OF_THE_FUNCTION).copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(read.difference(&page).collect::<Vec<_>>(), [""; 0], "read, and not on the page");
    assert_eq!(page.difference(&read).collect::<Vec<_>>(), [""; 0], "on the page, and not read");
    assert_eq!(known, read, "known to the extension, and read");
    let ours = sources(&["extension"]);
    assert!(VARIABLES.iter().all(|variable| ours.contains(variable.name)));
    assert!(
        sources(&["wrapper"]).is_superset(&OF_THE_FUNCTION.iter().map(|&name| name.to_owned()).collect())
    );
}

#[test]
fn the_page_tells_the_same_defaults() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let page = fs::read_to_string(root.join("docs/configuration.md")).expect("the page");
    for variable in VARIABLES {
        let row = page
            .lines()
            .find(|line| line.starts_with("| ") && line.contains(&format!("`{}`", variable.name)));
        let row = row.unwrap_or_else(|| panic!("no row of {}", variable.name));
        let told = row.split('|').nth(2).unwrap_or_default();
        assert!(told.contains(variable.default), "{}: {} is not in {told}", variable.name, variable.default);
    }
}

#[test]
fn help_names_them_all() {
    let help = help();
    assert!(VARIABLES.iter().all(|variable| help.contains(variable.name) && help.contains(variable.default)));
}

#[test]
fn a_slip_of_the_pen_is_told() {
    for (name, known) in [
        ("THROUGHLINE_BUGET_MS", Some("THROUGHLINE_BUDGET_MS")),
        ("THROUGHLINE_EXPORT_ENDPIONT", Some("THROUGHLINE_EXPORT_ENDPOINT")),
        ("THROUGHLINE_ENABLE", Some("THROUGHLINE_ENABLED")),
        ("THROUGHLINE_MAX_HOP", Some("THROUGHLINE_MAX_HOPS")),
        ("THROUGHLINE_ENABLED", None),
        ("THROUGHLINE_OTHER_PROGRAM", None),
        ("ENABLE", None),
    ] {
        assert_eq!(meant(name), known, "{name}");
    }
    assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("same", "same")), (3, 3, 0));
}
