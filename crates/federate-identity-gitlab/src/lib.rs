//! ID tokens of GitLab CI jobs.
