//! Whole processes, from start to end: how long, and how much memory at most.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that does the exchange.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
    /// How many of the rounds it takes part in: slow ones need fewer.
    pub(crate) rounds: usize,
    pub(crate) times: Vec<Duration>,
}

impl Way {
    pub(crate) fn new(name: &'static str, words: &[&str], rounds: usize) -> Self {
        Self { name, words: words.iter().map(|word| (*word).to_owned()).collect(), rounds, times: Vec::new() }
    }

    /// In milliseconds.
    pub(crate) fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    /// In milliseconds: what noise on the machine disturbs least.
    pub(crate) fn fastest(&self) -> f64 {
        self.times.iter().min().copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    fn command(&self, environment: &BTreeMap<String, String>) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).env_clear().envs(environment).current_dir(&environment["HOME"]);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it once and sees to it that the credentials came out.
    pub(crate) fn check(&self, environment: &BTreeMap<String, String>) -> Result<(), String> {
        let output = self.command(environment).output().map_err(|error| format!("{}: {error}", self.words[0]))?;
        if output.status.success() && String::from_utf8_lossy(&output.stdout).contains("exampleSecretAccessKey") {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn time(&mut self, environment: &BTreeMap<String, String>) {
        let mut command = self.command(environment);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().unwrap();
        self.times.push(start.elapsed());
        assert!(status.success(), "{} failed: {status}", self.name);
    }

    /// The most memory that it held at once, in KiB, as the kernel counts it until the process ends.
    pub(crate) fn peak(&self, environment: &BTreeMap<String, String>) -> u64 {
        let mut command = self.command(environment);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            most = most.max(number.unwrap_or(0));
        }
        most
    }
}

/// Takes turns, so that a machine that slows down slows all of them.
pub(crate) fn run(ways: &mut [&mut Way], environment: &BTreeMap<String, String>) {
    let rounds = ways.iter().map(|way| way.rounds).max().unwrap_or(0);
    for round in 0..rounds {
        for way in ways.iter_mut().filter(|way| way.rounds > round) {
            way.time(environment);
        }
    }
}
