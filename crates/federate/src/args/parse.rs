//! From words to a command, or to an error in the form that was asked for.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};
use federate_core::{Error, codes};

use super::{Cli, Color};
use crate::report::{Failure, Output};

/// Why the command line was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Help or version was asked for and printed.
    Shown(u8),
    /// It is wrong.
    Usage(Failure),
}

/// Reads the command line.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, Refusal> {
    let read = || {
        let matches = Cli::command().try_get_matches_from(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches)?;
        let is_flag = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        match (is_flag("verbose"), is_flag("quiet")) {
            (true, true) => {
                let text = "the argument '--verbose' cannot be used with '--quiet'";
                return Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, text));
            }
            (true, false) => cli.global.quiet = false,
            (false, true) => cli.global.verbose = 0,
            (false, false) => {}
        }
        Ok(cli)
    };
    let cli = read().map_err(|error: clap::Error| refusal(&error, arguments))?;
    match cli.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    Ok(cli)
}

fn refusal(error: &clap::Error, arguments: &[OsString]) -> Refusal {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let failed = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let _ = error.print();
        return Refusal::Shown(if failed { 2 } else { 0 });
    }
    let rendered = error.render().to_string();
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let mut usage = Error::new(&codes::USAGE, what);
    for line in lines.filter(|line| !line.starts_with("For more information")) {
        usage = usage.with_help(line.trim_start_matches("tip: "));
    }
    let texts: Vec<&str> =
        arguments.iter().take_while(|argument| *argument != "--").filter_map(|argument| argument.to_str()).collect();
    let command = texts.iter().skip(1).copied().find(|text| is_command(text)).unwrap_or_default();
    let failure =
        Failure::from(usage).with_output(if wants_json(&texts, command) { Output::Json } else { Output::Text });
    // A wrapper's own failures must not be mistaken for the command's: 125 from the first word on.
    let runs_child = ["exec", "each", "sandbox"].contains(&command);
    Refusal::Usage(if runs_child { failure.with_exit_code(125) } else { failure })
}

/// Was JSON asked for, as far as words can be told that could not be read as a whole?
fn wants_json(texts: &[&str], command: &str) -> bool {
    let is_json = |short: char, long: &str, variable: &str| {
        let given = texts.iter().enumerate().rev().find_map(|(at, text)| {
            let value = match text.strip_prefix(long) {
                Some(rest) => rest.strip_prefix('=').or(rest.is_empty().then_some("")),
                // Flags without a value may stand before it: `-vojson`.
                None if text.starts_with("--") => None,
                None => text.strip_prefix('-')?.trim_start_matches(['v', 'q']).strip_prefix(short),
            }?;
            let value = value.strip_prefix('=').unwrap_or(value);
            Some(if value.is_empty() { texts.get(at + 1).copied().unwrap_or_default() } else { value })
        });
        given.map_or_else(|| std::env::var(variable).is_ok_and(|value| value == "json"), |value| value == "json")
    };
    is_json('o', "--output", "FEDERATE_OUTPUT") || (command == "env" && is_json('f', "--format", "FEDERATE_FORMAT"))
}

fn is_command(text: &str) -> bool {
    Cli::command().get_subcommands().any(|command| command.get_name() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_in_words_that_could_not_be_read() {
        for words in ["-o json", "-o=json", "-ojson", "-vo json", "-qojson", "--output json", "--output=json"] {
            let texts: Vec<&str> = ["federate", "plan", "--nope"].into_iter().chain(words.split(' ')).collect();
            assert!(wants_json(&texts, "plan"), "{words}");
        }
        for words in ["-o text", "-o", "-o json -o text", "-f json", "-x json", "--outputs json"] {
            let texts: Vec<&str> = ["federate", "plan"].into_iter().chain(words.split(' ')).collect();
            assert!(!wants_json(&texts, "plan"), "{words}");
        }
        assert!(wants_json(&["federate", "env", "-f", "json"], "env"));
    }
}
