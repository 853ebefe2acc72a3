//! The host of tsrun's program: an engine without a parser, and a table of system calls. It contains mechanism, no policy.

pub mod json;
pub mod protect;
pub mod sys;
