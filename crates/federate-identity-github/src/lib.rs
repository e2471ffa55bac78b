//! ID tokens of GitHub Actions jobs.
