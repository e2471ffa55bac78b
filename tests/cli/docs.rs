//! The book is true: its transcripts are what the program prints, its layers are valid, its signatures are the code's.
//!
//! In `README.md` and `docs/`, a fenced block
//! - `console` is a transcript: commands after `$ `, what they print below; `…` stands for any lines, within a line for any text;
//! - `LANGUAGE file=PATH` is a whole file, which the commands after it find;
//! - `rust source` quotes the crates: every line stands in them, line breaks aside.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block.
struct Block {
    info: String,
    line: usize,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page, with its blocks.
fn pages() -> Vec<(String, Vec<Block>)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), blocks(&text))
        })
        .collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(info), false) => {
                blocks.push(Block { info: info.trim().to_owned(), line: index + 1, lines: Vec::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => blocks.last_mut().unwrap().lines.push(line.to_owned()),
            (None, false) => {}
        }
    }
    assert!(!is_open, "a block is not closed");
    blocks
}

/// A project in which a page's commands run: the sample profiles, unless the page brings its own.
struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new(blocks: &[Block]) -> Self {
        let scratch = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(scratch.path(".git")).unwrap();
        std::fs::create_dir_all(scratch.path("profiles")).unwrap();
        if !blocks.iter().any(|block| block.info.contains("file=profiles/")) {
            for entry in std::fs::read_dir(root().join("profiles")).unwrap().map(Result::unwrap) {
                std::fs::copy(entry.path(), scratch.path("profiles").join(entry.file_name())).unwrap();
            }
        }
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    /// What the command prints, on stdout and stderr together, and its exit code.
    fn run(&self, command: &str, last: i32) -> (String, i32) {
        let program = Path::new(env!("CARGO_BIN_EXE_federate")).parent().unwrap().display().to_string();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; (exit {last}); {command}")])
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("PATH", format!("{program}:/usr/local/bin:/usr/bin:/bin"))
            .current_dir(self.path(""))
            .output()
            .unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap())
    }
}

/// The commands of a transcript with what each is said to print.
fn commands(block: &Block) -> Vec<(String, Vec<&str>)> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push((command.to_owned(), Vec::new())),
            // A command goes on while its last line ends with a backslash.
            (None, Some((command, printed))) if printed.is_empty() && command.ends_with('\\') => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => panic!("line {}: a transcript begins with `$ `", block.line),
        }
    }
    found
}

fn agrees(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=printed.len()).any(|skipped| agrees(rest, &printed[skipped..]))
        }
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, left)| line_agrees(first, line) && agrees(rest, left))
        }
    }
}

fn line_agrees(expected: &str, printed: &str) -> bool {
    let (first, rest) = expected.split_once('…').map_or((expected, None), |(first, rest)| (first, Some(rest)));
    match (printed.strip_prefix(first), rest) {
        (None, _) => false,
        (Some(left), None) => left.is_empty(),
        (Some(left), Some(rest)) => {
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| line_agrees(rest, &left[at..]))
        }
    }
}

#[test]
fn transcripts_are_what_the_program_prints_and_layers_are_valid() {
    for (page, blocks) in pages() {
        let scratch = Scratch::new(&blocks);
        let mut has_layers = false;
        for block in &blocks {
            let place = format!("{page}:{}", block.line);
            if let Some(file) = block.info.split_whitespace().find_map(|word| word.strip_prefix("file=")) {
                has_layers |= file.starts_with("profiles/");
                let path = scratch.path(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, block.lines.join("\n") + "\n").unwrap();
            }
            if block.info != "console" {
                continue;
            }
            let mut last = 0;
            for (command, expected) in commands(block) {
                let (printed, code) = scratch.run(&command, last);
                last = code;
                let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
                assert!(agrees(&expected, &lines), "{place}: $ {command}\nprints\n{printed}");
            }
        }
        if has_layers {
            let (printed, code) = scratch.run("federate profile validate", 0);
            assert_eq!(code, 0, "{page}: {printed}");
        }
    }
}

/// All sources of the crates, without white space.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push_str(&dense(&std::fs::read_to_string(path).unwrap()));
        }
    }
}

fn dense(text: &str) -> String {
    let dense: String = text.split_whitespace().collect();
    dense.replace(",)", ")")
}

#[test]
fn quoted_code_is_the_codes() {
    let mut code = String::new();
    sources(&root().join("crates"), &mut code);
    for (page, blocks) in pages() {
        for block in blocks.iter().filter(|block| block.info == "rust source") {
            for line in block.lines.iter().filter(|line| !line.contains('…')) {
                let line = line.split(" // ").next().unwrap();
                assert!(code.contains(&dense(line)), "{page}:{}: the crates do not have `{line}`", block.line);
            }
        }
    }
}
