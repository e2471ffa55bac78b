//! The one network policy of federate, and its one loopback server.
