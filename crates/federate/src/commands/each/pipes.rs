//! Reading what a command writes, line by line.

use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::screen::Stream;

/// A longer line is cut, so that a command cannot fill the memory.
const LONGEST: u64 = 1024 * 1024;
/// How long what a dead command started may stay silent before nobody listens any more.
const PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(10);

/// Where lines go. An error ends the reading, and with it the pipe.
pub(super) type Sink = Arc<dyn Fn(Stream, &[u8]) -> io::Result<()> + Send + Sync>;

/// A pipe that is being read.
pub(super) struct Reading {
    is_done: oneshot::Receiver<()>,
    /// Reads that began, and reads that ended: equal while a line is on its way out.
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Reading {
    /// Reads until the end, in a thread of its own: whoever waits for the terminal holds nobody else up.
    pub(super) fn start(pipe: impl Read + Send + 'static, stream: Stream, sink: Sink) -> Self {
        let (done, is_done) = oneshot::channel();
        let reading = Self { is_done, begun: Arc::default(), ended: Arc::default() };
        let (begun, ended) = (reading.begun.clone(), reading.ended.clone());
        thread::spawn(move || {
            let pipe = Watched { pipe, begun, ended };
            let _ = lines(pipe, |line| sink(stream, line));
            let _ = done.send(());
        });
        reading
    }

    /// Waits until all is read, or until nothing more comes though the command has ended: then something that it started
    /// still holds the pipe. Tells which.
    pub(super) async fn finish(mut self) -> bool {
        let mut last = 0;
        let mut silent = Duration::ZERO;
        while tokio::time::timeout(STEP, &mut self.is_done).await.is_err() {
            let (begun, ended) = (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst));
            let is_silent = begun > ended && ended == last;
            silent = if is_silent { silent + STEP } else { Duration::ZERO };
            last = ended;
            if silent >= PATIENCE {
                return false;
            }
        }
        true
    }
}

struct Watched<R> {
    pipe: R,
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let result = self.pipe.read(buffer);
        self.ended.fetch_add(1, Ordering::SeqCst);
        result
    }
}

/// Calls `put` with whole lines, each with its end; the last one gets one if it has none.
fn lines(pipe: impl Read, mut put: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        put(&line)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        lines(bytes, |line| {
            seen.push(line.to_vec());
            Ok(())
        })
        .unwrap();
        seen
    }

    #[test]
    fn lines_are_whole_and_bytes_stay() {
        assert_eq!(read(b"a\n\n\xff\0b\r\nlast"), [&b"a\n"[..], b"\n", b"\xff\0b\r\n", b"last\n"]);
        assert_eq!(read(b""), Vec::<Vec<u8>>::new());
        let long = vec![b'x'; 1024 * 1024 + 3];
        assert_eq!(read(&long).iter().map(Vec::len).collect::<Vec<_>>(), [1024 * 1024 + 1, 4]);
    }

    #[tokio::test]
    async fn a_pipe_that_stays_open_and_silent_is_left() {
        let (reader, _writer) = std::io::pipe().unwrap();
        assert!(!Reading::start(reader, Stream::Out, Arc::new(|_, _| Ok(()))).finish().await);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(writer);
        assert!(Reading::start(reader, Stream::Out, Arc::new(|_, _| Ok(()))).finish().await);
    }
}
