//! The real clock, the real files.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use federate_core::Host;

/// The machine that federate runs on.
#[derive(Debug)]
pub(crate) struct SystemHost;

impl Host for SystemHost {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}
