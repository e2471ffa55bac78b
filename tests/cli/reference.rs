//! The pages of `docs/` that are made from the program are those that it makes.

use crate::support::Workshop;

#[test]
fn generated_pages_are_up_to_date() {
    for (page, file) in [
        ("commands", "commands.md"),
        ("errors", "errors.md"),
        ("variables", "variables.md"),
        ("profiles", "profiles-reference.md"),
    ] {
        let made = Workshop::new().run_quietly(&["reference", page]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made.stdout, "docs/{file} is stale: federate reference {page} > docs/{file}");
    }
}

/// Every link in the README and in `docs/` that leads into the repository leads somewhere.
#[test]
fn links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    pages.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            let found = heading.is_empty()
                || std::fs::read_to_string(&target)
                    .unwrap()
                    .lines()
                    .any(|line| anchor(line).as_deref() == Some(heading));
            assert!(found, "{}: {link} leads to no heading", page.display());
        }
    }
}

/// How a heading is linked to.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}
