//! One line per failure: action, object, reason, and a kind on which the caller may decide.

use rustix::io::Errno;
use serde::Serialize;
use std::fmt::Display;
use std::io;

/// What sort of failure it was; the only part of an error that a program should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The bytes are not those that the digest or the size promised.
    Digest,
    /// The input does not have the form it must have.
    Format,
    /// The system refused.
    Io,
    /// The input asks for more than the limits allow.
    Limit,
    /// The input tries something that no honest image does.
    Unsafe,
    /// The member is not in the source.
    NotFound,
    /// The other side cannot be reached, or has fallen silent.
    Network,
    /// The other side does not speak TLS.
    Plain,
    /// The other side cannot prove who it is.
    Certificate,
    /// The other side refuses.
    Refused,
    /// The file system has no room left, or the owner may not have more of it.
    NoSpace,
}

/// A failure, ready to be printed.
#[derive(Clone, Debug)]
pub struct Error {
    /// See [`Kind`].
    pub kind: Kind,
    /// One line: action, object, reason.
    pub message: String,
}

/// What every fallible function here returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The input does not have the form it must have.
    pub fn format(message: impl Into<String>) -> Self {
        Self::new(Kind::Format, message)
    }

    /// The input tries something that no honest image does.
    pub fn hostile(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsafe, message)
    }

    /// The input asks for more than the limits allow.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }

    /// The system refused.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Kind::Io, message)
    }

    /// The system refused `doing`, the action and its object.
    pub fn system(error: &io::Error, doing: impl Display) -> Self {
        let full = [Errno::NOSPC, Errno::DQUOT].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        Self::new(if full { Kind::NoSpace } else { Kind::Io }, format!("{doing}: {error}"))
    }

    /// The same failure, with what was being done before it.
    pub fn within(self, what: impl Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

/// Turns an errno into an [`Error`] that says what was tried.
pub trait Context<T> {
    /// `doing` is the action and its object, as in "Cannot create etc/passwd".
    fn doing<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn doing<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::system(&error.into(), doing()))
    }
}
