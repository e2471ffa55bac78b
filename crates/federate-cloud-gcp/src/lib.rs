//! Google Cloud workload identity federation: what a pool's provider lets in, and who else gets in.

mod trust;

pub use trust::GcpTrust;
