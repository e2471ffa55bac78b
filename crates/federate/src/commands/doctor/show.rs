//! The report, for people and for programs.

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};

use super::check::{Check, Status};

pub(super) fn json(checks: &[Check]) -> Json {
    json!({
        "checks": checks.iter().map(Check::json).collect::<Vec<_>>(),
        "ok": !checks.iter().any(Check::is_failed),
    })
}

/// One line a check, what is not in order with its details; all details where `is_verbose`.
pub(super) fn text(checks: &[Check], is_verbose: bool) -> String {
    let width = checks.iter().map(|check| label(check).chars().count()).max().unwrap_or(0);
    let mut out: String = checks.iter().map(|check| one(check, width, is_verbose)).collect();
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    out.push_str(&format!(
        "{} ok, {} to look at, {} failed, {} skipped\n",
        count(Status::Ok),
        count(Status::Warn),
        count(Status::Fail),
        count(Status::Skip)
    ));
    out
}

fn label(check: &Check) -> String {
    check.target.as_ref().map_or_else(|| check.id.to_owned(), |target| format!("{} {target}", check.id))
}

fn one(check: &Check, width: usize, is_verbose: bool) -> String {
    let (mark, colour) = match check.status {
        Status::Ok => ("ok", AnsiColor::Green),
        Status::Warn => ("warn", AnsiColor::Yellow),
        Status::Fail => ("FAIL", AnsiColor::Red),
        Status::Skip => ("skip", AnsiColor::BrightBlack),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    let style = if check.is_failed() { style.bold() } else { style };
    let mut out = format!("{style}{mark:4}{style:#}  {:width$}  {}\n", label(check), check.what);
    if check.status != Status::Ok || is_verbose {
        let fixes = check.fix.iter().map(|fix| format!("fix: {fix}"));
        for part in check.detail.iter().cloned().chain(fixes) {
            for (index, line) in part.lines().enumerate() {
                out.push_str(&format!("      {}{line}\n", if index == 0 { "" } else { "  " }));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_check_and_details_where_they_help() {
        let checks = [
            Check::ok("ci", "gitlab").with_detail("seen"),
            Check::fail("exchange", "refused").of("aws").with_detail("cause: no").with_fix("do\nthis"),
            Check::skip("whoami", "later").of("aws"),
        ];
        let plain = anstream::adapter::strip_str(&text(&checks, false)).to_string();
        assert_eq!(
            plain,
            "ok    ci            gitlab\nFAIL  exchange aws  refused\n      cause: no\n      fix: do\n        this\nskip  whoami aws    later\n1 ok, 0 to look at, 1 failed, 1 skipped\n"
        );
        assert!(text(&checks, true).contains("      seen\n"));
        let value = json(&checks);
        assert_eq!((&value["ok"], &value["checks"][1]["target"]), (&json!(false), &json!("aws")));
        assert!(value["checks"][0].get("target").is_none() && value["checks"][1]["fix"] == "do\nthis");
    }
}
