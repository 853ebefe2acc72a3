//! The worker as its callers see it: started, asked, and looked at. One program, since each one more is compiled and linked with all
//! that the tests share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be prepared has failed")]

#[macro_use]
mod support;

mod erofs;
mod fingerprint;
mod forged;
mod gnu_tar;
mod hostile;
mod pack;
mod protocol;
mod remove;
mod sources;
mod stack;
mod stall;
mod unpack;
mod verify;
mod whiteouts;
