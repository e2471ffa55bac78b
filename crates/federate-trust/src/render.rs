//! Values and texts in the languages of the clouds' own tools.
//!
//! Whatever a profile holds ends up between quotes here, and nothing of it is ever taken for code: every language has its
//! own function in [`quote`], which tests try with hostile texts.

pub mod hcl;
mod node;
pub mod quote;

pub use node::{Node, map, texts};
