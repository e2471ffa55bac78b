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
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(page.parent().unwrap().join(file).exists(), "{}: {link}", page.display());
        }
    }
}
