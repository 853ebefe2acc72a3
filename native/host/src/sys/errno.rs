//! Errno values with their names and texts.

/// What a system call answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl Errno {
    /// What the last libc call of this thread left behind.
    #[must_use]
    pub fn last() -> Self {
        Self::from(std::io::Error::last_os_error())
    }

    /// The name as in errno(3).
    #[must_use]
    pub fn name(self) -> String {
        NAMES
            .iter()
            .find(|(number, _, _)| *number == self.0)
            .map_or_else(|| format!("E{}", self.0), |(_, name, _)| (*name).into())
    }

    /// The words that Go and C programs use for it, in lower case: callers of a runtime match them.
    #[must_use]
    pub fn text(self) -> &'static str {
        NAMES.iter().find(|(number, _, _)| *number == self.0).map_or("unknown error", |(_, _, text)| text)
    }
}

macro_rules! names {
    ($($name:ident $text:literal)*) => { &[$((libc::$name, stringify!($name), $text)),*] };
}

const NAMES: &[(i32, &str, &str)] = names! {
    EPERM "operation not permitted"
    ENOENT "no such file or directory"
    ESRCH "no such process"
    EINTR "interrupted system call"
    EIO "input/output error"
    ENXIO "no such device or address"
    E2BIG "argument list too long"
    ENOEXEC "exec format error"
    EBADF "bad file descriptor"
    ECHILD "no child processes"
    EAGAIN "resource temporarily unavailable"
    ENOMEM "cannot allocate memory"
    EACCES "permission denied"
    EFAULT "bad address"
    ENOTBLK "block device required"
    EBUSY "device or resource busy"
    EEXIST "file exists"
    EXDEV "invalid cross-device link"
    ENODEV "no such device"
    ENOTDIR "not a directory"
    EISDIR "is a directory"
    EINVAL "invalid argument"
    ENFILE "too many open files in system"
    EMFILE "too many open files"
    ENOTTY "inappropriate ioctl for device"
    ETXTBSY "text file busy"
    EFBIG "file too large"
    ENOSPC "no space left on device"
    ESPIPE "illegal seek"
    EROFS "read-only file system"
    EMLINK "too many links"
    EPIPE "broken pipe"
    EDOM "numerical argument out of domain"
    ERANGE "numerical result out of range"
    EDEADLK "resource deadlock avoided"
    ENAMETOOLONG "file name too long"
    ENOLCK "no locks available"
    ENOSYS "function not implemented"
    ENOTEMPTY "directory not empty"
    ELOOP "too many levels of symbolic links"
    ENODATA "no data available"
    EOVERFLOW "value too large for defined data type"
    ELIBBAD "accessing a corrupted shared library"
    EUSERS "too many users"
    EMSGSIZE "message too long"
    EOPNOTSUPP "operation not supported"
    EADDRINUSE "address already in use"
    ECONNRESET "connection reset by peer"
    ENOTCONN "transport endpoint is not connected"
    ETIMEDOUT "connection timed out"
    ECONNREFUSED "connection refused"
    ESTALE "stale file handle"
    EDQUOT "disk quota exceeded"
    ENOKEY "required key not available"
    EKEYREJECTED "key was rejected by service"
};
