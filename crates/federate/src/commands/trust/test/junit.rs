//! Results as JUnit XML, which CI systems show in merge requests.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use super::Outcome;
use crate::report::visible;

/// One suite a target. Jenkins takes none without the number of `errors`.
pub(super) fn report(outcomes: &[Outcome]) -> String {
    let mut suites: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        suites.entry(&outcome.target).or_default().push(outcome);
    }
    let failures = |outcomes: &[&Outcome]| outcomes.iter().filter(|outcome| !outcome.passed).count();
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"federate trust test\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n",
        all.len(),
        failures(&all)
    );
    for (target, cases) in suites {
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n",
            escape(target),
            cases.len(),
            failures(&cases)
        ));
        for case in cases {
            // XML has no way to write control characters.
            let name = visible(&case.name);
            let head =
                format!("    <testcase classname=\"trust.{}\" name=\"{}\"", escape(target), escape(name.as_str()));
            match case.why() {
                None => out.push_str(&format!("{head}/>\n")),
                Some(why) => {
                    let why = escape(visible(&why).as_str()).into_owned();
                    out.push_str(&format!(
                        "{head}>\n      <failure message=\"{why}\">{why}</failure>\n    </testcase>\n"
                    ));
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
