//! A sandboxed job with real clients in its `PATH`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Done, finish, leftovers};

/// A home of its own, the repository's profiles, and nothing of this machine's settings.
pub(crate) struct Job {
    home: tempfile::TempDir,
    path: String,
}

impl Job {
    pub(crate) fn new(bin: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, path: format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()) }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `federate ARGUMENTS`, which has to succeed and to leave nothing behind.
    pub(crate) fn federate(&self, arguments: &[&str]) -> Done {
        let done = self.try_federate(arguments);
        assert_eq!(done.code, 0, "{arguments:?}\n{}\n{}", done.stdout, done.stderr);
        done
    }

    pub(crate) fn try_federate(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federate"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("AZURE_CONFIG_DIR", self.home.path().join("azure"))
            .env("PATH", &self.path)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LANG", "C.UTF-8")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .stdin(Stdio::null());
        let done = finish(command.output().unwrap());
        assert!(!done.stderr.contains("eyJ"), "a token shows: {}", done.stderr);
        assert_eq!(leftovers(self.home.path()), Vec::<PathBuf>::new(), "files were left behind");
        done
    }
}
