//! How it went, target by target.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use federate_core::{Error, Place};
use serde_json::{Value as Json, json};

use crate::report::error_json;
use crate::signals::exit_code;

/// What became of one target.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// The command ended.
    Ended(ExitStatus),
    /// It could not be started.
    NotStarted(Error),
    /// There were no credentials.
    Refused(Error),
    /// Nothing was tried any more.
    NotRun,
}

/// One line of the summary.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) target: String,
    pub(super) place: Place,
    pub(super) fate: Fate,
    pub(super) took: Duration,
}

impl Row {
    pub(super) fn is_good(&self) -> bool {
        matches!(self.fate, Fate::Ended(status) if status.success())
    }

    /// For people.
    pub(super) fn result(&self) -> String {
        match &self.fate {
            Fate::Ended(status) if status.success() => "ok".to_owned(),
            Fate::Ended(status) => match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("exit code {}", exit_code(*status)),
            },
            Fate::NotStarted(error) => format!("not started ({})", error.code().name),
            Fate::Refused(error) => format!("no credentials ({})", error.code().name),
            Fate::NotRun => "not run".to_owned(),
        }
    }

    /// Seconds, for people; empty where nothing ran.
    pub(super) fn time(&self) -> String {
        match self.fate {
            Fate::Ended(_) => format!("{:.1}s", self.took.as_secs_f64()),
            _ => String::new(),
        }
    }

    fn json(&self) -> Json {
        let (result, status, error) = match &self.fate {
            Fate::Ended(status) => (if status.success() { "ok" } else { "failed" }, Some(*status), None),
            Fate::NotStarted(error) => ("not-started", None, Some(error)),
            Fate::Refused(error) => ("no-credentials", None, Some(error)),
            Fate::NotRun => ("not-run", None, None),
        };
        json!({
            "target": self.target,
            "account": self.place.account,
            "region": self.place.region,
            "result": result,
            "exit_code": status.map(exit_code),
            "signal": status.and_then(|status| status.signal()),
            "seconds": status.map(|_| (self.took.as_secs_f64() * 1e3).round() / 1e3),
            "error": error.map(error_json),
        })
    }
}

/// How many succeeded, failed, and were not run.
pub(super) fn counts(rows: &[Row]) -> (usize, usize, usize) {
    let good = rows.iter().filter(|row| row.is_good()).count();
    let not_run = rows.iter().filter(|row| matches!(row.fate, Fate::NotRun)).count();
    (good, rows.len() - good - not_run, not_run)
}

/// The table; with `only_bad`, what went well is left out.
pub(super) fn table(rows: &[Row], only_bad: bool) -> String {
    let shown: Vec<&Row> = rows.iter().filter(|row| !(only_bad && row.is_good())).collect();
    if only_bad && shown.is_empty() {
        return String::new();
    }
    let width = |cell: fn(&Row) -> usize, least: usize| shown.iter().map(|row| cell(row)).max().unwrap_or(0).max(least);
    let (first, second) = (width(|row| row.target.chars().count(), 6), width(|row| row.result().chars().count(), 6));
    let line = |target: &str, result: &str, time: &str| {
        format!("{}\n", format!("{target:first$}  {result:second$}  {time:>7}").trim_end())
    };
    let mut out = line("target", "result", "time");
    shown.iter().for_each(|row| out.push_str(&line(&row.target, &row.result(), &row.time())));
    let (good, bad, not_run) = counts(rows);
    out.push_str(&format!("{good} of {} succeeded", rows.len()));
    for (count, what) in [(bad, "failed"), (not_run, "not run")] {
        if count > 0 {
            out.push_str(&format!(", {count} {what}"));
        }
    }
    out.push('\n');
    out
}

/// The same for programs.
pub(super) fn json(rows: &[Row], exit_code: u8) -> Json {
    let (succeeded, failed, not_run) = counts(rows);
    json!({
        "succeeded": succeeded,
        "failed": failed,
        "not_run": not_run,
        "exit_code": exit_code,
        "targets": rows.iter().map(Row::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::codes;

    fn rows() -> Vec<Row> {
        let refused = Error::new(&codes::ACCOUNT_NOT_ALLOWED, "no");
        let ended = |raw| Fate::Ended(ExitStatus::from_raw(raw));
        [ended(0), ended(3 << 8), ended(15), Fate::Refused(refused), Fate::NotRun]
            .into_iter()
            .enumerate()
            .map(|(number, fate)| Row {
                target: format!("t{number}"),
                place: Place { account: Some("1".to_owned()), region: None },
                fate,
                took: Duration::from_millis(1234),
            })
            .collect()
    }

    #[test]
    fn the_table_says_what_became_of_each() {
        assert_eq!(
            table(&rows(), false),
            "target  result                                   time\n\
             t0      ok                                       1.2s\n\
             t1      exit code 3                              1.2s\n\
             t2      signal 15                                1.2s\n\
             t3      no credentials (account-not-allowed)\n\
             t4      not run\n\
             1 of 5 succeeded, 3 failed, 1 not run\n"
        );
        assert!(!table(&rows(), true).contains("t0 "));
        assert_eq!(table(&rows()[..1], true), "");
    }

    #[test]
    fn programs_read_the_same() {
        let json = json(&rows(), 1);
        assert_eq!((&json["succeeded"], &json["failed"], &json["not_run"]), (&json!(1), &json!(3), &json!(1)));
        assert_eq!(json["targets"][0]["seconds"], 1.234);
        assert_eq!((&json["targets"][2]["exit_code"], &json["targets"][2]["signal"]), (&json!(143), &json!(15)));
        assert_eq!(json["targets"][3]["error"]["code"], "account-not-allowed");
        assert_eq!(json["targets"][4]["result"], "not-run");
    }
}
