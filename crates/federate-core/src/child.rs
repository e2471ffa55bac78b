//! What a child process is given: variables, private files, commands to run first.

use crate::secret::Secret;

/// Names of environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// This one.
    Exact(&'static str),
    /// All that begin so.
    Prefix(&'static str),
}

impl NamePattern {
    /// Does the pattern name this variable? Case matters, as it does to the SDKs.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == *exact,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// The value of a variable for the child.
#[derive(Clone, Debug)]
pub enum ChildValue {
    /// May be shown.
    Plain(String),
    /// Must not be shown.
    Secret(Secret),
    /// The path of the private file of this id.
    PathOf(String),
}

/// What a private file holds.
#[derive(Clone, Debug)]
pub enum FileContent {
    /// These bytes, as they are.
    Text(Secret),
    /// The ID token of this target, without a trailing newline; rewritten atomically well before it ends while the child
    /// runs, if the provider can issue again.
    IdToken {
        /// The target's name.
        target: String,
        /// The token at the start.
        token: Secret,
    },
    /// Not a file but an empty directory, private as well.
    Directory,
}

/// A file in the child's private directory (0600 in a 0700 directory), gone when the child is.
#[derive(Clone, Debug)]
pub struct PrivateFile {
    /// How values and commands refer to it.
    pub id: String,
    /// Its file name.
    pub name: String,
    /// What it holds.
    pub content: FileContent,
}

/// One argument of a setup command. Secrets are passed by file alone, never in `argv`.
#[derive(Clone, Debug)]
pub enum Argument {
    /// As it is.
    Plain(String),
    /// The path of the private file of this id.
    PathOf(String),
    /// `@` and the path of the private file of this id, as the az CLI reads an argument from a file.
    AtPathOf(String),
}

/// A command that must succeed before the child is started, in the child's environment; its output goes to stderr.
#[derive(Clone, Debug)]
pub struct SetupCommand {
    /// What it is for, for error messages: `az login`.
    pub what: String,
    /// The program, found in the child's `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// Everything that the targets of one kind need of a child's surroundings.
#[derive(Clone, Debug, Default)]
pub struct ChildEnv {
    /// Variables to set, in order.
    pub set: Vec<(String, ChildValue)>,
    /// Private files to make first.
    pub files: Vec<PrivateFile>,
    /// Commands to run before the child.
    pub setup: Vec<SetupCommand>,
    /// Things the person should know (the end of a token that cannot be renewed).
    pub notes: Vec<String>,
}

impl ChildEnv {
    /// Sets a variable that may be shown.
    pub fn plain(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.set.push((name.into(), ChildValue::Plain(value.into())));
    }

    /// Sets a secret variable.
    pub fn secret(&mut self, name: impl Into<String>, value: Secret) {
        self.set.push((name.into(), ChildValue::Secret(value)));
    }

    /// Sets a variable to the path of a private file.
    pub fn path(&mut self, name: impl Into<String>, file: impl Into<String>) {
        self.set.push((name.into(), ChildValue::PathOf(file.into())));
    }
}
