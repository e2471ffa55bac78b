//! The whole command line, as a person or a CI system uses it: on loopback alone, in an environment of its own.

mod bad_answers;
mod hosts;
mod support;
