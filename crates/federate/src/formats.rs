//! Variables as shells and CI systems read them.

use clap::ValueEnum;
use federate_core::{Error, Secret, codes};
use ring::rand::{SecureRandom as _, SystemRandom};

/// For which shell or CI system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// POSIX shells: `eval "$(federate env)"`.
    #[default]
    Sh,
    /// fish: `federate env -f fish | source`.
    Fish,
    /// PowerShell: `federate env -f powershell | Out-String | Invoke-Expression`.
    Powershell,
    /// cmd.exe, as a batch file.
    Cmd,
    /// A `.env` file.
    Dotenv,
    /// One JSON object.
    Json,
    /// GitHub Actions: `$GITHUB_ENV`.
    Github,
    /// GitLab: a dotenv report, without secrets unless allowed.
    Gitlab,
    /// Azure DevOps: `##vso[task.setvariable]`.
    AzureDevops,
    /// CircleCI: `$BASH_ENV`.
    Circleci,
}

/// A variable to print.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: Secret,
    pub(crate) is_secret: bool,
}

impl Format {
    /// The variable that names the CI's own file for `--write`.
    pub(crate) fn file_variable(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("GITHUB_ENV"),
            Self::Circleci => Some("BASH_ENV"),
            _ => None,
        }
    }

    /// The text, and the lines to say on stderr.
    ///
    /// # Errors
    /// `usage` where a value cannot be written in this format.
    pub(crate) fn render(self, set: &[Variable], unset: &[String]) -> Result<Secret, Error> {
        if self == Self::Json {
            let object: serde_json::Map<_, _> =
                set.iter().map(|variable| (variable.name.clone(), variable.value.reveal().into())).collect();
            return Ok(Secret::new(format!("{:#}\n", serde_json::Value::Object(object))));
        }
        let mut out = String::new();
        for name in unset {
            match self {
                Self::Sh | Self::Circleci => out.push_str(&format!("unset {name}\n")),
                Self::Fish => out.push_str(&format!("set -e {name}\n")),
                Self::Powershell => out.push_str(&format!("Remove-Item -ErrorAction SilentlyContinue Env:{name}\n")),
                Self::Cmd => out.push_str(&format!("set \"{name}=\"\r\n")),
                Self::Dotenv | Self::Json | Self::Github | Self::Gitlab | Self::AzureDevops => {}
            }
        }
        for variable in set {
            out.push_str(&self.line(variable)?);
        }
        Ok(Secret::new(out))
    }

    fn line(self, variable: &Variable) -> Result<String, Error> {
        let (name, value) = (variable.name.as_str(), variable.value.reveal());
        let impossible = |why: &str| {
            Err(Error::new(&codes::USAGE, format!("{name} cannot be written in this format: {why}"))
                .with_help("use another -f FORMAT, or `federate exec`"))
        };
        if value.contains('\0') {
            return impossible("its value holds a NUL character");
        }
        let one_line = !value.contains(['\n', '\r']);
        Ok(match self {
            Self::Sh | Self::Circleci => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
            Self::Fish => format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => {
                // PowerShell takes typographic quotes for plain ones; doubled they stand for themselves.
                let quoted: String = value
                    .chars()
                    .flat_map(|c| {
                        std::iter::repeat_n(
                            c,
                            if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') { 2 } else { 1 },
                        )
                    })
                    .collect();
                format!("$Env:{name} = '{quoted}'\n")
            }
            Self::Cmd if !one_line => return impossible("cmd.exe has no way to write a line break"),
            Self::Cmd if value.contains('"') => return impossible("cmd.exe has no way to quote a double quote"),
            Self::Cmd => format!("set \"{name}={}\"\r\n", value.replace('%', "%%")),
            Self::Dotenv => format!("{name}={}\n", dotenv(value)),
            Self::Github => {
                let delimiter = format!("ghadelimiter_{}", random_hex()?);
                format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
            }
            Self::Gitlab if !one_line || value.contains(' ') => {
                return impossible("a dotenv report holds no spaces and no line breaks");
            }
            Self::Gitlab => format!("{name}={value}\n"),
            Self::AzureDevops if !one_line && variable.is_secret => {
                return impossible("Azure DevOps secrets cannot have several lines");
            }
            Self::AzureDevops => {
                let secret = if variable.is_secret { ";issecret=true" } else { "" };
                format!("##vso[task.setvariable variable={name}{secret}]{}\n", azure_devops(value))
            }
            Self::Json => String::new(),
        })
    }
}

fn dotenv(value: &str) -> String {
    let bare =
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:+=@,%".contains(&byte));
    if bare {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r', '\\']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', c]),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

fn azure_devops(value: &str) -> String {
    value.replace('%', "%AZP25").replace(';', "%3B").replace('\r', "%0D").replace('\n', "%0A").replace(']', "%5D")
}

/// 128 random bits in hex.
///
/// # Errors
/// Where the system has no randomness to give.
pub(crate) fn random_hex() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(&codes::USAGE, "the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "a'b\"c$d`e%f\\g ü;]\u{2019}";

    fn line(format: Format, value: &str) -> Result<String, Error> {
        let variable = Variable { name: "N".into(), value: Secret::new(value), is_secret: true };
        format.render(&[variable], &[]).map(|text| text.reveal().to_owned())
    }

    #[test]
    fn each_format_quotes_for_its_reader() {
        for (format, expected) in [
            (Format::Sh, "export N='a'\\''b\"c$d`e%f\\g ü;]\u{2019}'\n"),
            (Format::Fish, "set -gx N 'a\\'b\"c$d`e%f\\\\g ü;]\u{2019}'\n"),
            (Format::Powershell, "$Env:N = 'a''b\"c$d`e%f\\g ü;]\u{2019}\u{2019}'\n"),
            (Format::Dotenv, "N=\"a'b\\\"c\\$d\\`e%f\\\\g ü;]\u{2019}\"\n"),
            (
                Format::AzureDevops,
                "##vso[task.setvariable variable=N;issecret=true]a'b\"c$d`e%AZP25f\\g ü%3B%5D\u{2019}\n",
            ),
        ] {
            assert_eq!(line(format, NASTY).unwrap(), expected, "{format:?}");
        }
        assert_eq!(line(Format::Cmd, "50%").unwrap(), "set \"N=50%%\"\r\n");
        assert_eq!(line(Format::Json, "a\n\"").unwrap(), "{\n  \"N\": \"a\\n\\\"\"\n}\n");
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        assert!(line(Format::Cmd, "a\nb").is_err());
        assert!(line(Format::Cmd, "a\"b").is_err());
        assert!(line(Format::Gitlab, "a b").is_err());
        assert!(line(Format::AzureDevops, "a\nb").is_err());
        assert!(line(Format::Sh, "a\0b").is_err());
    }

    #[test]
    fn github_uses_a_new_delimiter_each_time() {
        let (one, two) = (line(Format::Github, "a\nb").unwrap(), line(Format::Github, "a\nb").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("N<<ghadelimiter_") && one.contains("\na\nb\nghadelimiter_"));
    }

    #[test]
    fn a_real_shell_reads_back_what_was_written() {
        let script = format!("{}printf %s \"$N\"", line(Format::Sh, &format!("{NASTY}\n$(id)")).unwrap());
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{NASTY}\n$(id)"));
    }
}
