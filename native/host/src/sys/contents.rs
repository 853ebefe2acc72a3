//! What is read from a descriptor and written to it.

use super::{
    errno::Errno,
    text::{Borrowed, Text},
    value::{Bytes, Fd},
};
use crate::calls;
use rustix::fs::{self, OFlags};
use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
};

/// Reads until the end, at most `limit` bytes.
fn read_all(fd: Fd, limit: u64) -> Result<Vec<u8>, Errno> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        if bytes.capacity() == bytes.len() {
            // What is read comes from outside: a file that is too large is an error and not the end of the program.
            bytes.try_reserve(bytes.len().max(limit.min(16384))).map_err(|_| Errno(libc::ENOMEM))?;
        }
        match rustix::io::read(fd.get(), rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    bytes.truncate(limit);
    Ok(bytes)
}

fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(fd.get(), bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

calls! {
    /// Reads a file to its end as text; at most `limit` bytes.
    fn readText(fd: Fd, limit: u64) -> Text {
        Ok(Text(read_all(fd, limit)?))
    }

    /// Reads a file to its end; at most `limit` bytes.
    fn readBytes(fd: Fd, limit: u64) -> Vec<u8> {
        read_all(fd, limit)
    }

    /// Cuts the member at `path` out of a JSON text: the text with null in its place, and the member's own text. Undefined
    /// where there is none, or where only a parser can tell.
    fn cutJson(text: Borrowed, path: Vec<CString>) -> Option<Vec<String>> {
        let names: Vec<_> = path.iter().map(|name| name.to_str().unwrap_or_default()).collect();
        let cut = str::from_utf8(text.get()).map_or(Ok(None), |text| crate::json::cut(text, &names));
        Ok(cut.map_err(|_| Errno(libc::ENOMEM))?.map(|(rest, member)| vec![rest, member]))
    }

    /// The member at `path` of a JSON text, as `cutJson` finds it.
    fn findInJson(text: Borrowed, path: Vec<CString>) -> Option<String> {
        let names: Vec<_> = path.iter().map(|name| name.to_str().unwrap_or_default()).collect();
        let found = str::from_utf8(text.get()).map_or(Ok(None), |text| crate::json::find(text, &names));
        found.map_err(|_| Errno(libc::ENOMEM))
    }

    /// Whether bytes are the UTF-8 of a text.
    fn sameText(bytes: Bytes, text: Borrowed) -> bool {
        Ok(bytes.get() == text.get())
    }

    /// The UTF-8 of a text.
    fn bytesOf(text: Text) -> Vec<u8> {
        Ok(text.0)
    }

    /// A hash of a text, 64 bits in hexadecimal: for a file's name, not against anybody. FNV-1a, but of words of eight bytes.
    fn hashText(text: Borrowed) -> String {
        let (words, rest) = text.get().as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain(rest.iter().map(|byte| u64::from(*byte)));
        let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        Ok(format!("{:016x}", words.fold(0xcbf2_9ce4_8422_2325, mix)))
    }

    /// One `read(2)` of at most `limit` bytes; empty at the end.
    fn readSome(fd: Fd, limit: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(usize::try_from(limit).unwrap_or(0).min(1 << 20));
        rustix::io::retry_on_intr(|| rustix::io::read(fd.get(), rustix::buffer::spare_capacity(&mut bytes)))?;
        Ok(bytes)
    }

    /// `write(2)` of the whole text.
    fn writeText(fd: Fd, text: CString) -> () {
        write_all(fd, text.as_bytes())
    }

    /// `write(2)` of all bytes.
    fn writeBytes(fd: Fd, bytes: Bytes) -> () {
        write_all(fd, bytes.get())
    }

    /// One `write(2)`; gives how many bytes were taken.
    fn writeSome(fd: Fd, bytes: Bytes) -> i64 {
        let count = rustix::io::retry_on_intr(|| rustix::io::write(fd.get(), bytes.get()))?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// `fcntl(2)` F_SETFL O_NONBLOCK.
    fn setNonblocking(fd: Fd) -> () {
        let flags = fs::fcntl_getfl(fd.get())?;
        Ok(fs::fcntl_setfl(fd.get(), flags | OFlags::NONBLOCK)?)
    }

    /// One `write(2)`, so that a file of /proc or cgroupfs gets the value at once; an empty text is written too.
    fn writeOnce(fd: Fd, text: CString) -> () {
        rustix::io::retry_on_intr(|| rustix::io::write(fd.get(), text.as_bytes()))?;
        Ok(())
    }

    /// `fsync(2)`.
    fn fsync(fd: Fd) -> () {
        Ok(fs::fsync(fd.get())?)
    }

    /// `pipe2(2)`, close-on-exec: the end to read from, the end to write to.
    fn pipe() -> (OwnedFd, OwnedFd) {
        Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
    }

    /// `fcntl(2)` F_DUPFD_CLOEXEC: another descriptor for the same file, with the lowest number from `least` on.
    fn duplicate(fd: Fd, least: i32) -> OwnedFd {
        Ok(rustix::io::fcntl_dupfd_cloexec(fd.get(), least)?)
    }

    /// `dup3(2)`: makes `number` a copy that survives execve.
    fn duplicateTo(fd: Fd, number: i32) -> () {
        if fd.get().as_raw_fd() == number {
            return Ok(rustix::io::fcntl_setfd(fd.get(), rustix::io::FdFlags::empty())?);
        }
        // SAFETY: what `number` was before is the program's to lose: it names only 0, 1, 2 and the preserved ones.
        if unsafe { libc::dup2(fd.0, number) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `fcntl(2)` F_GET_SEALS: F_SEAL_*. EINVAL for what can have none.
    fn getSeals(fd: Fd) -> i64 {
        Ok(rustix::fs::fcntl_get_seals(fd.get())?.bits().into())
    }

    /// Takes over a descriptor that was open when the program began: 0, 1, 2, or one that a caller passed on.
    fn inherited(number: i32) -> OwnedFd {
        // SAFETY: asks only whether the number is open.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
            return Err(Errno::last());
        }
        // SAFETY: it is open, and the program takes each number once.
        Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(number) })
    }
}
