//! What people read on stderr: notes, warnings, errors.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use federate_core::{Error, Reporter, codes};
use serde_json::{Value as Json, json};

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For code hosts that show findings in merge requests (SARIF 2.1.0); `trust lint` only.
    Sarif,
}

/// Everything that went wrong, and the exit code that it makes.
#[derive(Debug)]
pub(crate) struct Failure {
    errors: Vec<Error>,
    output: Output,
    exit_code: Option<u8>,
}

impl Failure {
    /// One or more errors; never none.
    pub(crate) fn new(errors: Vec<Error>) -> Self {
        Self { errors, output: Output::Text, exit_code: None }
    }

    /// Several failures as one; `None` where there is none.
    pub(crate) fn joined(failures: Vec<Self>) -> Option<Self> {
        let errors: Vec<Error> = failures.into_iter().flat_map(|failure| failure.errors).collect();
        (!errors.is_empty()).then(|| Self::new(errors))
    }

    /// Where the job's identity was taken away on purpose, no line in the pipeline gives it back.
    pub(crate) fn where_isolated(mut self) -> Self {
        let explain = |error: Error| match error.code().name {
            name if name == codes::TOKEN_MISSING.name => error.with_help_only(
                "this command runs inside of `federate … --isolate`, which keeps the job's identity from it: use the \
                 credentials that it was given, or leave --isolate out",
            ),
            _ => error,
        };
        self.errors = self.errors.into_iter().map(explain).collect();
        self
    }

    /// The errors alone.
    pub(crate) fn into_errors(self) -> Vec<Error> {
        self.errors
    }

    /// How to print it.
    pub(crate) fn with_output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Another exit code than the category's: 125, 126, 127 of `exec`.
    pub(crate) fn with_exit_code(mut self, code: u8) -> Self {
        self.exit_code.get_or_insert(code);
        self
    }

    /// The first of the errors.
    pub(crate) fn first(&self) -> Option<&Error> {
        self.errors.first()
    }

    /// The process's exit code: the one that was set, else the gravest category's.
    pub(crate) fn exit_code(&self) -> u8 {
        // Usage first: what the person can mend at once outranks what followed from it.
        self.exit_code
            .unwrap_or_else(|| self.errors.iter().map(|error| error.category().exit_code()).min().unwrap_or(2))
    }

    /// Prints the errors to stderr and returns the exit code.
    pub(crate) fn print(&self) -> u8 {
        let code = self.exit_code();
        let mut err = anstream::stderr().lock();
        // A closed stderr leaves nobody to tell.
        let _ = match self.output {
            Output::Text | Output::Sarif => err.write_all(self.errors.iter().map(text).collect::<String>().as_bytes()),
            Output::Json => writeln!(err, "{}", self.json(code)),
        };
        code
    }

    /// The first error, and in `also` the others, each in the same form.
    fn json(&self, exit_code: u8) -> Json {
        let object = |error: &Error| {
            let mut object = json!({ "error": error_json(error) });
            object["error"]["exit_code"] = exit_code.into();
            if let Some(setting) = error.setting().filter(|setting| !setting.is_empty()) {
                object["setting"] = setting.into();
            }
            object
        };
        let mut objects = self.errors.iter().map(object);
        let mut first = objects.next().unwrap_or_default();
        let others: Vec<Json> = objects.collect();
        if !others.is_empty() {
            first["also"] = others.into();
        }
        first
    }
}

/// One error for programs, but for the exit code that it makes.
pub(crate) fn error_json(error: &Error) -> Json {
    json!({
        "code": error.code().name,
        "category": error.category().exit_code(),
        "message": error.what(),
        "cause": error.cause(),
        "origin": error.origin(),
        "help": (!error.help().is_empty()).then(|| error.help().join("\n")),
        "cloud_code": error.cloud_code(),
        "request_id": error.request_id(),
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(vec![error])
    }
}

impl From<Vec<Error>> for Failure {
    fn from(errors: Vec<Error>) -> Self {
        Self::new(errors)
    }
}

/// A profile can come from a stranger: what it is called must neither command the terminal nor begin a line that the
/// CI takes for a command.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, char::is_control)
}

/// Text that shows what it holds: control characters, and those that turn the direction of writing, as escapes.
pub(crate) fn visible(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    escaped(text, |c| c.is_control() || turns(c))
}

fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_meant(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A line of a text that may have several, of which a name's line break must not make one that the CI obeys.
fn continued(line: &str) -> String {
    let line = one_line(line);
    if line.trim_start().starts_with("::") { format!("\\n{line}") } else { line }
}

/// An error for people.
pub(crate) fn text(error: &Error) -> String {
    let (red, bold) = (Style::new().fg_color(Some(AnsiColor::Red.into())).bold(), Style::new().bold());
    let mut out = format!("{red}error[{}]{red:#}: {}\n", error.code().name, one_line(error.what()));
    let mut line = |label: &str, text: &str| {
        for (index, part) in text.lines().map(continued).enumerate() {
            if index == 0 {
                out.push_str(&format!("  {bold}{label}:{bold:#} {part}\n"));
            } else {
                out.push_str(&format!("  {:width$}  {part}\n", "", width = label.len()));
            }
        }
    };
    if let Some(cause) = error.cause() {
        line("cause", cause);
    }
    match (error.origin(), error.setting()) {
        (Some(origin), Some(setting)) if !setting.is_empty() => {
            line("where", &one_line(&format!("{origin} ({setting})")));
        }
        (Some(place), _) | (None, Some(place)) => line("where", &one_line(place)),
        (None, None) => {}
    }
    for help in error.help() {
        line("help", help);
    }
    if let Some(id) = error.request_id() {
        line("request id", id);
    }
    out
}

/// Prints a result that has colours, without them where stdout does not take any.
pub(crate) fn print_styled(text: &str) -> std::io::Result<()> {
    match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => print_result(&anstream::adapter::strip_str(text).to_string()),
        _ => print_result(text),
    }
}

/// Errors alone: an SDK runs the program, and shows what it says only if it fails.
pub(crate) const SILENT: i8 = -2;

/// Speaks on stderr, as loud as `-v` and `-q` allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stderr {
    /// -1 with `-q`, 0, or the number of `-v`.
    pub(crate) verbosity: i8,
}

impl Reporter for Stderr {
    fn warn(&self, text: &str) {
        if self.verbosity <= SILENT {
            return;
        }
        let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
        say(&format!("{yellow}warning{yellow:#}: {text}"));
    }
    fn note(&self, text: &str) {
        if self.verbosity >= 0 {
            say(&format!("note: {text}"));
        }
    }
    fn detail(&self, text: &str) {
        if self.verbosity >= 1 {
            say(text);
        }
    }
}

/// Notes the same thing once, however many targets it is about; warns whenever there is reason to.
#[derive(Debug)]
pub(crate) struct SaidOnce {
    stderr: Stderr,
    said: Mutex<BTreeSet<String>>,
}

impl SaidOnce {
    /// Nothing was said yet.
    pub(crate) fn new(stderr: Stderr) -> Self {
        Self { stderr, said: Mutex::new(BTreeSet::new()) }
    }

    fn is_new(&self, text: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }
}

impl Reporter for SaidOnce {
    fn warn(&self, text: &str) {
        self.stderr.warn(text);
    }
    fn note(&self, text: &str) {
        if self.is_new(text) {
            self.stderr.note(text);
        }
    }
    fn detail(&self, text: &str) {
        if self.is_new(text) {
            self.stderr.detail(text);
        }
    }
}

/// One line on stderr.
pub(crate) fn say(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// The result on stdout. A reader that has gone away is no failure (`federate … | head -1`).
pub(crate) fn print_result(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Does a person read stdout?
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// JSON, one value, pretty.
pub(crate) fn pretty(value: &Json) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::codes;

    #[test]
    fn json_is_one_line_with_every_key() {
        let error = Error::new(&codes::ENV_UNSET, "X is not set").with_help("set it").with_help("or not");
        let failure = Failure::new(vec![error]).with_exit_code(125);
        let line = failure.json(failure.exit_code()).to_string();
        assert!(!line.contains('\n'));
        let parsed: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["error"]["exit_code"], 125);
        assert_eq!(parsed["error"]["category"], 2);
        assert_eq!(parsed["error"]["help"], "set it\nor not");
        let keys: Vec<&String> = parsed["error"].as_object().unwrap().keys().collect();
        let of_the_contract =
            ["category", "cause", "cloud_code", "code", "exit_code", "help", "message", "origin", "request_id"];
        assert_eq!(keys, of_the_contract);
    }

    #[test]
    fn several_errors_are_one_line_of_json_too() {
        let error = |setting: &str| Error::new(&codes::SETTING_INVALID, "bad").with_setting(setting);
        let json = Failure::new(vec![error("a.b"), error("c.d")]).json(2);
        assert_eq!((&json["setting"], &json["also"][0]["setting"]), (&json!("a.b"), &json!("c.d")));
        assert_eq!(json["also"][0]["error"]["exit_code"], 2);
        assert!(json["also"][0].get("also").is_none());
    }

    #[test]
    fn nothing_in_an_error_begins_a_line_or_commands_the_terminal() {
        let error = Error::new(&codes::SETTING_INVALID, "`\n::add-mask::x`")
            .with_setting("a.\"\n::b\"")
            .with_cause("\u{1b}[2J");
        let plain = anstream::adapter::strip_str(&text(&error)).to_string();
        assert_eq!(plain, "error[setting-invalid]: `\\n::add-mask::x`\n  cause: \\u{1b}[2J\n  where: a.\"\\n::b\"\n");
    }

    #[test]
    fn text_has_the_lines_of_the_contract() {
        let error = Error::new(&codes::SETTING_INVALID, "what")
            .with_cause("why")
            .with_setting("a.b")
            .with_origin("f.toml:3")
            .with_help("do\nthis");
        let plain = anstream::adapter::strip_str(&text(&error)).to_string();
        assert_eq!(
            plain,
            "error[setting-invalid]: what\n  cause: why\n  where: f.toml:3 (a.b)\n  help: do\n        this\n"
        );
    }
}
