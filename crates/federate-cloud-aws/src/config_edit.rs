//! Profiles in an AWS config file that ask a program for credentials; every other line stays as it is.
//!
//! The file is read as botocore reads it (Python's `configparser`): a heading that is indented below an option is the
//! option's value, and `[profile "a b"]` is split by shell rules. What was written here is marked by a comment that lists its
//! keys, so that it can be brought up to date and taken away again.

use federate_core::{Error, SdkProfile, codes};

use crate::config_file::{is_credential_key, key_of};

const MARK: &str = "# Written by federate aws-config: ";

/// A stretch of the file: what stands before the first heading, or a heading with all up to the next.
struct Section<'a> {
    /// The profile's name, if it is a profile's section.
    profile: Option<String>,
    has_heading: bool,
    lines: Vec<Line<'a>>,
}

/// A line with its line end, and the key of the option that it begins or goes on with.
struct Line<'a> {
    text: std::borrow::Cow<'a, str>,
    key: Option<String>,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The keys that the mark lists, if this is one.
    fn marked(&self) -> Option<Vec<String>> {
        let keys = self.text.trim().strip_prefix(MARK)?;
        Some(keys.split(',').map(|key| key.trim().to_owned()).collect())
    }
}

impl Section<'_> {
    fn mark(&self) -> Option<(usize, Vec<String>)> {
        self.lines.iter().enumerate().find_map(|(at, line)| Some((at, line.marked()?)))
    }

    fn remove_keys(&mut self, is_meant: &dyn Fn(&str) -> bool) {
        self.lines.retain(|line| !line.key.as_deref().is_some_and(is_meant));
    }
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section { profile: None, has_heading: false, lines: Vec::new() }];
    let mut option: Option<(String, usize)> = None;
    for text in text.split_inclusive('\n') {
        let trimmed = text.trim();
        let indent = text.len() - text.trim_start().len();
        let goes_on = option.as_ref().is_some_and(|(_, of_option)| indent > *of_option);
        let is_said = !trimmed.is_empty() && !trimmed.starts_with(['#', ';']);
        if is_said && !goes_on {
            let heading = trimmed.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(heading, _)| heading);
            option = match heading {
                Some(heading) => {
                    sections.push(Section { profile: profile_name(heading), has_heading: true, lines: Vec::new() });
                    None
                }
                None => Some((key_of(trimmed), indent)),
            };
        }
        let key = option.as_ref().filter(|_| is_said).map(|(key, _)| key.clone());
        if let Some(section) = sections.last_mut() {
            section.lines.push(Line { text: text.into(), key });
        }
    }
    sections
}

/// The profile that a heading names: `default`, `profile NAME`, `profile "NA ME"`.
fn profile_name(heading: &str) -> Option<String> {
    let heading = heading.trim();
    if heading == "default" {
        return Some(heading.to_owned());
    }
    let rest = heading.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']))?.trim();
    let quoted = |mark: char| rest.strip_prefix(mark)?.strip_suffix(mark).filter(|name| !name.contains(mark));
    match quoted('"').or_else(|| quoted('\'')) {
        Some(name) => Some(name.to_owned()),
        None => (!rest.contains([' ', '\t', '"', '\'', '\\'])).then(|| rest.to_owned()),
    }
}

fn heading(name: &str) -> Option<String> {
    if name == "default" {
        return Some("[default]".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+@/:".contains(c);
    if name.is_empty() || name.contains(['"', '\\', ']', '[', '\'']) || name.contains(char::is_control) {
        return None;
    }
    Some(if name.chars().all(is_plain) { format!("[profile {name}]") } else { format!("[profile \"{name}\"]") })
}

/// The command as one line that Python's `shlex` and a POSIX shell split alike: SDKs use either. `None` where some SDK would
/// read it otherwise.
fn command_line(program: &[String]) -> Option<String> {
    let word = |text: &String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
        if !text.is_empty() && text.chars().all(is_plain) {
            return text.clone();
        }
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    };
    let line = program.iter().map(word).collect::<Vec<_>>().join(" ");
    // Some SDKs take a mark of comments behind white space for a comment, whatever quotes stand around it.
    let is_comment = [" #", "\t#", " ;", "\t;"].iter().any(|mark| line.contains(mark));
    (!is_comment && !line.contains(char::is_control)).then_some(line)
}

/// The mark and the options of a profile.
fn block(profile: &SdkProfile, newline: &str) -> Result<(Vec<String>, Vec<Line<'static>>), Error> {
    let invalid = |what: String| Error::new(&codes::SETTING_INVALID, what);
    let command = command_line(&profile.program).ok_or_else(|| {
        invalid(format!("the command of the profile `{}` cannot be written into an AWS config file", profile.name))
            .with_help("use paths and names without line breaks and without ` #` or ` ;` in them")
    })?;
    let options = std::iter::once(("credential_process", command)).chain(profile.settings.iter().cloned());
    let mut keys = Vec::new();
    let mut lines = Vec::new();
    for (key, value) in options {
        if value.contains(char::is_control) {
            return Err(invalid(format!("`{key}` of the profile `{}` holds a line break", profile.name)));
        }
        keys.push(key.to_owned());
        lines.push(Line { text: format!("{key} = {value}{newline}").into(), key: None });
    }
    lines.insert(0, Line { text: format!("{MARK}{}{newline}", keys.join(", ")).into(), key: None });
    Ok((keys, lines))
}

/// See [`federate_core::SdkConfig::with_profiles`].
pub(crate) fn with_profiles(text: &str, profiles: &[SdkProfile], replace: bool) -> Result<String, Vec<Error>> {
    let newline =
        if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut sections = sections(text);
    let mut errors = Vec::new();
    for profile in profiles {
        if let Err(error) = write(&mut sections, profile, replace, newline) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(joined(&sections)) } else { Err(errors) }
}

fn write(sections: &mut Vec<Section<'_>>, profile: &SdkProfile, replace: bool, newline: &str) -> Result<(), Error> {
    let name = &profile.name;
    let heading = heading(name).ok_or_else(|| {
        Error::new(&codes::SETTING_INVALID, format!("a profile of an AWS config file cannot be named `{name}`"))
            .with_help("leave out quotes, brackets, backslashes and line breaks")
    })?;
    let (keys, lines) = block(profile, newline)?;
    let mut places =
        sections.iter().enumerate().filter(|(_, one)| one.profile.as_ref() == Some(name)).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(_), Some(_)) => {
            return Err(Error::new(&codes::SETTING_INVALID, format!("the file has the profile `{name}` twice"))
                .with_help("SDKs refuse such a file, or read it each in its own way: remove one of the two"));
        }
        (Some(at), None) => {
            let section = &mut sections[at];
            let at = match section.mark() {
                Some((at, marked)) => {
                    section.lines.remove(at);
                    let ours = |key: &str| keys.iter().chain(&marked).any(|one| one == key);
                    let before =
                        section.lines[..at].iter().filter(|line| line.key.as_deref().is_some_and(ours)).count();
                    section.remove_keys(&ours);
                    at - before
                }
                None if replace => {
                    section.remove_keys(&|key| is_credential_key(key) || keys.iter().any(|one| one == key));
                    1
                }
                None => {
                    return Err(Error::new(
                        &codes::SETTING_INVALID,
                        format!("the file has a profile `{name}` that federate did not write"),
                    )
                    .with_help("choose other names with --prefix, or take it over with --force: what leads to credentials in it is replaced then"));
                }
            };
            end_with_newline(&mut section.lines, newline);
            section.lines.splice(at..at, lines);
        }
        (None, _) => {
            let mut separator = Vec::new();
            if let Some(last) = sections.iter_mut().rev().find(|section| !section.lines.is_empty()) {
                end_with_newline(&mut last.lines, newline);
                if !last.lines.last().is_some_and(Line::is_blank) {
                    separator.push(Line { text: newline.to_owned().into(), key: None });
                }
                last.lines.append(&mut separator);
            }
            let mut all = vec![Line { text: format!("{heading}{newline}").into(), key: None }];
            all.extend(lines);
            sections.push(Section { profile: Some(name.clone()), has_heading: true, lines: all });
        }
    }
    Ok(())
}

fn end_with_newline(lines: &mut [Line<'_>], newline: &str) {
    if let Some(last) = lines.last_mut().filter(|last| !last.text.ends_with('\n')) {
        last.text = format!("{}{newline}", last.text).into();
    }
}

/// See [`federate_core::SdkConfig::without_profiles`].
pub(crate) fn without_profiles(text: &str, is_meant: &dyn Fn(&str) -> bool) -> String {
    let mut sections = sections(text);
    for at in 0..sections.len() {
        let section = &mut sections[at];
        let Some((mark, keys)) = section.mark().filter(|_| section.profile.as_deref().is_some_and(is_meant)) else {
            continue;
        };
        section.lines.remove(mark);
        section.remove_keys(&|key| keys.iter().any(|one| one == key));
        if section.lines.iter().any(|line| line.key.is_some()) {
            continue;
        }
        // Nothing but comments and blank lines is left: they stay, without a blank line too many.
        section.lines.remove(0);
        section.has_heading = false;
        while section.lines.first().is_some_and(Line::is_blank) {
            section.lines.remove(0);
        }
        let is_last = sections[at..].iter().all(|section| section.lines.is_empty());
        let before = sections[..at].iter_mut().rev().find(|section| !section.lines.is_empty());
        // One blank line was put there; where there are more, they were there before.
        let is_ours = |lines: &[Line<'_>]| match lines {
            [.., before, last] => last.is_blank() && !before.is_blank(),
            [last] => last.is_blank(),
            [] => false,
        };
        if let Some(before) = before.filter(|before| is_last && is_ours(&before.lines)) {
            before.lines.pop();
        }
    }
    joined(&sections)
}

fn joined(sections: &[Section<'_>]) -> String {
    sections.iter().flat_map(|section| &section.lines).map(|line| line.text.as_ref()).collect()
}

/// Whether a credentials file has static keys for a profile of this name.
pub(crate) fn has_static_keys(text: &str, name: &str) -> bool {
    let mut is_inside = false;
    text.lines().map(str::trim).any(|line| {
        if let Some(heading) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_inside = heading.trim() == name;
        }
        is_inside && line.split('=').next().is_some_and(|key| key.trim().eq_ignore_ascii_case("aws_access_key_id"))
    })
}

#[cfg(test)]
mod tests;
