//! Copies of single files.

use crate::error::{Context, Result};
use rustix::fs::{SeekFrom, Stat, copy_file_range, ftruncate, ioctl_ficlone, seek};
use rustix::io::{Errno, pread, pwrite};
use std::os::fd::BorrowedFd;

/// How files are copied on this pair of file systems; what has been refused once is not tried again.
#[derive(Default)]
pub struct Copier {
    no_clone: bool,
    no_range: bool,
}

impl Copier {
    /// Copies the data of `from` into the empty file `to`; holes stay holes.
    pub fn data(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> Result<()> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size == 0 {
            return Ok(());
        }
        if !self.no_clone {
            match ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(_) => self.no_clone = true,
            }
        }
        // st_blocks counts units of 512 bytes, whatever the file system's own are (stat(3type)).
        let lacks_blocks = u64::try_from(stat.st_blocks).unwrap_or(0) < size.div_ceil(512);
        // EROFS counts holes as blocks, but has none in less than a page.
        let has_holes = || size > 4096 && seek(from, SeekFrom::Hole(0)).is_ok_and(|hole| hole < size);
        if lacks_blocks || has_holes() {
            return self.pieces(from, to, size).doing(|| "Cannot copy a sparse file");
        }
        self.piece(from, to, 0, size).doing(|| "Cannot copy the data")
    }

    fn pieces(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> rustix::io::Result<()> {
        let mut at = 0;
        while at < size {
            let start = match seek(from, SeekFrom::Data(at)) {
                // A hole up to the end.
                Err(Errno::NXIO) => break,
                start => start?,
            };
            let end = seek(from, SeekFrom::Hole(start))?;
            self.piece(from, to, start, end.min(size))?;
            at = end;
        }
        ftruncate(to, size)
    }

    fn piece(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, start: u64, end: u64) -> rustix::io::Result<()> {
        let mut at = start;
        while at < end && !self.no_range {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX);
            let (mut source, mut target) = (at, at);
            match copy_file_range(from, Some(&mut source), to, Some(&mut target), length) {
                Ok(0) => return Err(Errno::IO),
                Ok(count) => at += count as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => self.no_range = true,
                Err(errno) => return Err(errno),
            }
        }
        by_hand(from, to, at, end)
    }
}

fn by_hand(from: BorrowedFd<'_>, to: BorrowedFd<'_>, start: u64, end: u64) -> rustix::io::Result<()> {
    let mut buffer = vec![0; if start < end { 256 * 1024 } else { 0 }];
    let mut at = start;
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = pread(from, buffer.get_mut(..most).unwrap_or_default(), at)?;
        if count == 0 {
            return Err(Errno::IO);
        }
        let mut bytes = buffer.get(..count).unwrap_or_default();
        while !bytes.is_empty() {
            let written = pwrite(to, bytes, at)?;
            at += written as u64;
            bytes = bytes.get(written..).unwrap_or_default();
        }
    }
    Ok(())
}
