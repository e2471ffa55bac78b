//! Where the output of many commands meets: whole lines, or whole sections, never a mixture.

use std::io::{self, IsTerminal as _, Read as _, Seek as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use federate_core::{Error, IdentityProvider, SectionEdge, codes};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tempfile::SpooledTempFile;

use crate::report::{one_line, text};

/// What a section keeps in memory before it goes to a file that has no name.
const IN_MEMORY: usize = 256 * 1024;

/// Which of a command's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// stdout and stderr, and the progress bar below them.
pub(super) struct Screen {
    ci: Option<Arc<dyn IdentityProvider>>,
    width: usize,
    bar: Option<ProgressBar>,
    lock: Mutex<()>,
    lost: Mutex<Option<io::Error>>,
}

impl Screen {
    /// `names` are those that will stand before lines; `bar` counts them.
    pub(super) fn new(ci: Option<Arc<dyn IdentityProvider>>, names: &[&str], has_bar: bool) -> Self {
        let bar = (has_bar && ci.is_none() && io::stderr().is_terminal()).then(|| {
            let length = u64::try_from(names.len()).unwrap_or_default();
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        Self { ci, width, bar, lock: Mutex::default(), lost: Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the log of this CI have sections?
    pub(super) fn has_sections(&self) -> bool {
        self.heading(SectionEdge::End, "").is_some()
    }

    fn heading(&self, edge: SectionEdge, title: &str) -> Option<String> {
        self.ci.as_ref()?.section(edge, &one_line(title), SystemTime::now())
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let put = || match stream {
            Stream::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Err => io::stderr().lock().write_all(bytes),
        };
        let _one_at_a_time = self.locked();
        let result = match &self.bar {
            Some(bar) => bar.suspend(put),
            None => put(),
        };
        match result {
            Err(error) if stream == Stream::Out => Err(self.lose(error)),
            other => other,
        }
    }

    /// Remembers that output is lost, unless nobody wants it any more (`| head`).
    pub(super) fn lose(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        if kind != io::ErrorKind::BrokenPipe {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        kind.into()
    }

    /// Why some of what the commands wrote is lost.
    pub(super) fn lost(&self) -> Option<Error> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let error = Error::new(&codes::USAGE, "some of what the commands wrote to stdout is lost");
        Some(error.with_cause(lost.to_string()).with_help("make room where it is written to, and run it again"))
    }

    /// A line of a command, with its end, under the target's name.
    pub(super) fn line(&self, target: &str, stream: Stream, line: &[u8]) -> io::Result<()> {
        if self.ci.as_ref().is_some_and(|ci| ci.is_log_command(line)) {
            return self.write(stream, line);
        }
        let is_coloured = match stream {
            Stream::Out => anstream::AutoStream::choice(&io::stdout()),
            Stream::Err => anstream::AutoStream::choice(&io::stderr()),
        } != anstream::ColorChoice::Never;
        let style = if is_coloured { Style::new().fg_color(Some(AnsiColor::Cyan.into())) } else { Style::new() };
        let target = one_line(target);
        let mut whole = format!("{style}{target:width$} |{style:#} ", width = self.width).into_bytes();
        whole.extend_from_slice(line);
        self.write(stream, &whole)
    }

    /// As [`Screen::line`], inside of a section.
    pub(super) fn plain(&self, stream: Stream, line: &[u8]) -> io::Result<()> {
        self.write(stream, line)
    }

    /// A line for people, on stderr.
    pub(super) fn say(&self, text: &str) {
        let _ = self.write(Stream::Err, format!("{text}\n").as_bytes());
    }

    /// Lets something else write to stderr, which the bar would else wipe away.
    pub(super) fn aside(&self, put: impl FnOnce()) {
        let _one_at_a_time = self.locked();
        match &self.bar {
            Some(bar) => bar.suspend(put),
            None => put(),
        }
    }

    /// What is wrong with a target, on stderr.
    pub(super) fn tell(&self, target: &str, error: &Error) {
        let (target, told) = (one_line(target), text(error));
        match anstream::AutoStream::choice(&io::stderr()) {
            anstream::ColorChoice::Never => {
                self.say(&format!("{target}: {}", anstream::adapter::strip_str(told.trim_end())));
            }
            _ => self.say(&format!("{target}: {}", told.trim_end())),
        }
    }

    /// Opens a section.
    pub(super) fn open(&self, title: &str, is_collapsed: bool) {
        let heading = self.heading(SectionEdge::Begin { is_collapsed }, title);
        self.say(&heading.unwrap_or_else(|| format!("==> {}", one_line(title))));
    }

    /// Closes it.
    pub(super) fn close(&self, title: &str) {
        if let Some(line) = self.heading(SectionEdge::End, title) {
            self.say(&line);
        }
    }

    /// A section that is over: its output in the order in which it came.
    pub(super) fn section(&self, title: &str, is_collapsed: bool, mut kept: Kept) {
        self.open(title, is_collapsed);
        // A reader that has gone away, or a full disk, is not the command's failure.
        let _ = kept.replay(|stream, bytes| self.write(stream, bytes));
        self.close(title);
    }

    /// What runs now.
    pub(super) fn running(&self, names: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(names.to_owned());
        }
    }

    /// One more is done. Tells whether a bar shows it.
    pub(super) fn advance(&self) -> bool {
        self.bar.as_ref().inspect(|bar| bar.inc(1)).is_some()
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The output of one command, kept for its section.
pub(super) struct Kept(SpooledTempFile);

impl Kept {
    pub(super) fn new() -> Self {
        Self(SpooledTempFile::new(IN_MEMORY))
    }

    /// Adds a line.
    pub(super) fn add(&mut self, stream: Stream, line: &[u8]) -> io::Result<()> {
        let length = u32::try_from(line.len()).map_err(io::Error::other)?;
        self.0.write_all(&[u8::from(stream == Stream::Err)])?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(line)
    }

    fn replay(&mut self, mut put: impl FnMut(Stream, &[u8]) -> io::Result<()>) -> io::Result<()> {
        self.0.rewind()?;
        let mut reader = io::BufReader::new(&mut self.0);
        let mut head = [0_u8; 5];
        let mut line = Vec::new();
        while reader.read_exact(&mut head).is_ok() {
            let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
            line.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
            reader.read_exact(&mut line)?;
            put(if head[0] == 1 { Stream::Err } else { Stream::Out }, &line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_output_comes_back_in_order_and_byte_by_byte() {
        let mut kept = Kept::new();
        let long = vec![0xff_u8; IN_MEMORY + 1];
        for (stream, line) in
            [(Stream::Out, &b"a\n"[..]), (Stream::Err, b"\0\xfe\n"), (Stream::Out, &long), (Stream::Err, b"")]
        {
            kept.add(stream, line).unwrap();
        }
        let mut seen = Vec::new();
        kept.replay(|stream, bytes| {
            seen.push((stream, bytes.to_vec()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen[0], (Stream::Out, b"a\n".to_vec()));
        assert_eq!(seen[1], (Stream::Err, b"\0\xfe\n".to_vec()));
        assert_eq!((seen[2].1.len(), seen.len()), (IN_MEMORY + 1, 4));
    }
}
