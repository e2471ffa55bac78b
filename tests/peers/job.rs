//! A CI job around a client: nothing in its environment but what a test puts there, every secret noted, and none seen
//! again.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::workshop::{Done, Workshop, leftovers};

/// Where `clients/witness` notes what it was given.
const WITNESSED: &str = "witnessed";

pub(crate) struct Job {
    pub(crate) workshop: Workshop,
    outside: Arc<AtomicUsize>,
}

impl Job {
    /// A project with the sample profiles, whose `PATH` begins with these programs.
    pub(crate) fn new(programs: &Path) -> Self {
        let mut workshop = Workshop::new();
        for folder in ["bin", "tmp"] {
            fs::create_dir(workshop.path(folder)).unwrap();
        }
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
        for sample in fs::read_dir(samples).unwrap().flatten() {
            fs::copy(sample.path(), workshop.path("project/profiles").join(sample.file_name())).unwrap();
        }
        let (address, outside) = outside();
        let shown = |path: PathBuf| path.display().to_string();
        let (own, temporary) = (shown(workshop.path("bin")), shown(workshop.path("tmp")));
        let witnessed = shown(workshop.path(WITNESSED));
        workshop
            .set("PATH", &format!("{own}:{}:/usr/local/bin:/usr/bin:/bin", programs.display()))
            .set("TMPDIR", &temporary)
            .set("WITNESSED", &witnessed)
            .set("OUTSIDE", &address);
        let job = Self { workshop, outside };
        job.program("witness", include_str!("clients/witness"));
        job
    }

    /// Puts a program before all others.
    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = self.workshop.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The AWS config file in `HOME`.
    pub(crate) fn aws_config(&self, text: &str) {
        let folder = self.workshop.path("home/.aws");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config"), text).unwrap();
    }

    /// Notes the tokens that the test itself gave to the job.
    pub(crate) fn note_tokens(&self) {
        let command = self.workshop.command(&[]);
        let values = command.get_envs().filter_map(|(_, value)| value?.to_str());
        let tokens: String =
            values.filter(|value| value.starts_with("eyJ")).map(|token| format!("{token}\n")).collect();
        fs::write(self.workshop.path(WITNESSED), tokens).unwrap();
    }

    /// `federate sandbox ARGUMENTS -- witness COMMAND`.
    pub(crate) fn sandbox(&self, arguments: &[&str], command: &[&str]) -> Done {
        self.federate(&[&["sandbox"], arguments, &["--", "witness"], command].concat())
    }

    /// Runs federate to its end. No secret that a `witness` noted shows in what it said, nor in any file that is left.
    pub(crate) fn federate(&self, arguments: &[&str]) -> Done {
        let done = self.workshop.run_quietly(arguments);
        let secrets = self.secrets();
        assert!(!secrets.is_empty(), "nothing was noted, so nothing can be looked for: {}", done.stderr);
        // A mask command has to name the value that it hides.
        let said: String = done.stderr.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
        for secret in &secrets {
            assert!(!said.contains(secret) && !done.stdout.contains(secret), "a secret shows: {}", done.stderr);
        }
        for file in files(self.workshop.root.path()) {
            let content = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
            let is_witness = file.ends_with(WITNESSED);
            assert!(
                is_witness || !secrets.iter().any(|secret| content.contains(secret)),
                "a secret is left in {}",
                file.display()
            );
        }
        assert_eq!(leftovers(&self.workshop.path("runtime")), Vec::<PathBuf>::new(), "files were left behind");
        done
    }

    /// As [`Job::sandbox`], for a command that succeeds and asks nobody but loopback; what it printed.
    pub(crate) fn sandbox_prints(&self, arguments: &[&str], command: &[&str]) -> String {
        let done = self.sandbox(arguments, command);
        assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
        assert_eq!(self.asked_outside(), 0, "something else than loopback was asked: {}", done.stderr);
        done.stdout
    }

    /// How often somebody outside of this machine would have been asked.
    pub(crate) fn asked_outside(&self) -> usize {
        self.outside.load(Ordering::Relaxed)
    }

    fn secrets(&self) -> BTreeSet<String> {
        let noted = fs::read_to_string(self.workshop.path(WITNESSED)).unwrap_or_default();
        noted.lines().filter(|line| line.len() > 15).map(str::to_owned).collect()
    }
}

/// The program itself, for what does not look into `PATH`.
pub(crate) const FEDERATE: &str = env!("CARGO_BIN_EXE_federate");

/// Whether a program can be found, and in which folder.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join(program).is_file())
}

/// A proxy that leads nowhere, and how often it was asked.
fn outside() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    // Ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    (address, asked)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}
