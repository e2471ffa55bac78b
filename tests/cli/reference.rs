//! The pages of `docs/` that are made from the program are those that it makes.

use crate::support::Workshop;

#[test]
fn generated_pages_are_up_to_date() {
    for (page, file) in [("commands", "commands.md"), ("errors", "errors.md"), ("profiles", "profiles-reference.md")] {
        let made = Workshop::new().run_quietly(&["reference", page]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made.stdout, "docs/{file} is stale: federate reference {page} > docs/{file}");
    }
}
