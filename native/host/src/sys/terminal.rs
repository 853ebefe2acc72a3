//! Terminals: ioctl_tty(2), termios(3).

use super::{
    errno::Errno,
    value::{Bytes, Fd},
};
use crate::calls;
use rustix::{pty::OpenptFlags, termios};
use std::os::fd::OwnedFd;

fn size_of_window(fd: Fd) -> Result<Vec<i64>, Errno> {
    let size = termios::tcgetwinsize(fd.get())?;
    Ok(vec![size.ws_col.into(), size.ws_row.into()])
}

fn as_bytes(state: &libc::termios) -> Vec<u8> {
    // SAFETY: a termios is plain data of this size.
    unsafe { std::slice::from_raw_parts((&raw const *state).cast::<u8>(), size_of::<libc::termios>()) }.to_vec()
}

calls! {
    /// Whether `fd` is a terminal.
    fn isTerminal(fd: Fd) -> bool {
        Ok(termios::isatty(fd.get()))
    }

    /// TIOCSPTLCK: lets the other side of a new pseudoterminal be opened.
    fn unlockTerminal(master: Fd) -> () {
        Ok(rustix::pty::unlockpt(master.get())?)
    }

    /// TIOCGPTN: the number below /dev/pts.
    fn terminalNumber(master: Fd) -> i64 {
        let mut number: libc::c_uint = 0;
        // SAFETY: TIOCGPTN writes one unsigned int.
        if unsafe { libc::ioctl(master.0, libc::TIOCGPTN as _, &raw mut number) } < 0 {
            return Err(Errno::last());
        }
        Ok(number.into())
    }

    /// TIOCGPTPEER: opens the other side without a path, close-on-exec.
    fn terminalPeer(master: Fd) -> OwnedFd {
        Ok(rustix::pty::ioctl_tiocgptpeer(master.get(), OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?)
    }

    /// TIOCSCTTY: makes it the controlling terminal of this session.
    fn controlTerminal(fd: Fd) -> () {
        Ok(rustix::process::ioctl_tiocsctty(fd.get())?)
    }

    /// TIOCGWINSZ: columns and rows.
    fn windowSize(fd: Fd) -> Vec<i64> {
        size_of_window(fd)
    }

    /// TIOCSWINSZ.
    fn setWindowSize(fd: Fd, columns: u16, rows: u16) -> () {
        Ok(termios::tcsetwinsize(fd.get(), termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 })?)
    }

    /// Sets a terminal raw, as cfmakeraw(3) does, but for output processing; gives what it was before.
    fn rawTerminal(fd: Fd) -> Vec<u8> {
        // SAFETY: an all-zero termios is a valid value.
        let mut state: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the struct is ours.
        if unsafe { libc::tcgetattr(fd.0, &raw mut state) } < 0 {
            return Err(Errno::last());
        }
        let before = as_bytes(&state);
        // SAFETY: as above.
        unsafe { libc::cfmakeraw(&raw mut state) };
        // SAFETY: as above.
        if unsafe { libc::tcsetattr(fd.0, libc::TCSANOW, &raw const state) } < 0 { Err(Errno::last()) } else { Ok(before) }
    }

    /// Puts a terminal back to what `rawTerminal` gave.
    fn restoreTerminal(fd: Fd, state: Bytes) -> () {
        let bytes = state.get();
        if bytes.len() != size_of::<libc::termios>() {
            return Err(Errno(libc::EINVAL));
        }
        // SAFETY: the bytes are those of a termios, as their number says; they may be unaligned.
        let state = unsafe { bytes.as_ptr().cast::<libc::termios>().read_unaligned() };
        // SAFETY: the struct is ours.
        if unsafe { libc::tcsetattr(fd.0, libc::TCSADRAIN, &raw const state) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// Takes the newline translation off a pseudoterminal that the container writes to: ONLCR is what runc sets.
    fn terminalNewlines(fd: Fd) -> () {
        let mut state = termios::tcgetattr(fd.get())?;
        state.output_modes |= termios::OutputModes::ONLCR;
        Ok(termios::tcsetattr(fd.get(), termios::OptionalActions::Now, &state)?)
    }
}
