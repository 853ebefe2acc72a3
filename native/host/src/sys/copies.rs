//! What a copy takes over from a file, besides its content.

use super::{errno::Errno, value::Fd};
use crate::calls;
use rustix::{
    fs::{self, AtFlags, SeekFrom},
    io::Errno as Io,
};
use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

/// Neither a value nor a list of names can be larger: xattr(7).
const LARGEST_XATTR: usize = 65536;

/// What means something to overlayfs begins so.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

calls! {
    /// Gives a file the times of another one of the same name: `utimensat(2)`. An empty path is for the descriptors themselves.
    fn copyTimes(from: Fd, to: Fd, path: CString) -> () {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let stat = fs::statat(from.get(), &path, flags)?;
        let times = fs::Timestamps {
            last_access: fs::Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec.cast_signed() },
            last_modification: fs::Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
        };
        let flags = if path.is_empty() { flags } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(fs::utimensat(to.get(), path, &times, flags)?)
    }

    /// Gives a file the extended attributes of another one of the same name, as far as its file system and privileges allow, but
    /// for those that mean something to overlayfs: xattr(7). An empty path is for the descriptors themselves. A name is not
    /// followed; before Linux 6.13 no call reaches it so, and what can only be named stays without.
    fn copyXattrs(from: Fd, to: Fd, path: CString) -> () {
        let (from, to) = (Place { fd: from, path: &path }, Place { fd: to, path: &path });
        let (mut names, mut value) = (vec![0; LARGEST_XATTR], vec![0; LARGEST_XATTR]);
        let length = match from.list(&mut names) {
            Err(Io::OPNOTSUPP | Io::NOSYS) => 0,
            length => length?,
        };
        for name in names[..length].split_inclusive(|&byte| byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            if OVERLAY.iter().any(|prefix| name.to_bytes().starts_with(prefix)) {
                continue;
            }
            let length = from.get(name, &mut value)?;
            match to.set(name, &value[..length]) {
                Err(Io::OPNOTSUPP | Io::PERM) => {}
                set => set?,
            }
        }
        Ok(())
    }

    /// Copies a file into an empty one, in the kernel; holes stay holes.
    fn copyFile(from: Fd, to: Fd) -> () {
        let (from, to) = (from.get(), to.get());
        let stat = fs::fstat(from)?;
        let size = stat.st_size.cast_unsigned();
        // st_blocks counts units of 512 bytes (stat(3type)). EROFS counts holes too, but has none in less than a page.
        let lacks_blocks = stat.st_blocks.cast_unsigned() < size.div_ceil(512);
        if !lacks_blocks && (size <= 4096 || fs::seek(from, SeekFrom::Hole(0)).map_or(true, |hole| hole >= size)) {
            return send(from, to, 0, u64::MAX);
        }
        let mut end = 0;
        loop {
            let begin = match fs::seek(from, SeekFrom::Data(end)) {
                // A hole up to the end.
                Err(Io::NXIO) => break,
                begin => begin?,
            };
            end = fs::seek(from, SeekFrom::Hole(begin))?;
            fs::seek(to, SeekFrom::Start(begin))?;
            send(from, to, begin, end)?;
        }
        if end < size { Ok(fs::ftruncate(to, size)?) } else { Ok(()) }
    }
}

/// Sends what lies from `at` to `end`, or less where the file is shorter.
fn send(from: BorrowedFd<'_>, to: BorrowedFd<'_>, mut at: u64, end: u64) -> Result<(), Errno> {
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        if rustix::io::retry_on_intr(|| fs::sendfile(to, from, Some(&mut at), most))? == 0 {
            break;
        }
    }
    Ok(())
}

/// What extended attributes are of: an open file, or a name below it.
struct Place<'a> {
    fd: Fd,
    path: &'a CStr,
}

/// `struct xattr_args` of linux/xattr.h.
#[repr(C)]
struct XattrArgs {
    value: u64,
    size: u32,
    flags: u32,
}

// Calls since Linux 6.13; they have the same numbers on all machines.
const SETXATTRAT: libc::c_long = 463;
const GETXATTRAT: libc::c_long = 464;
const LISTXATTRAT: libc::c_long = 465;

impl Place<'_> {
    fn list(&self, names: &mut [u8]) -> rustix::io::Result<usize> {
        let Self { fd, path } = self;
        if path.is_empty() {
            return fs::flistxattr(fd.get(), names);
        }
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        // SAFETY: the path ends in NUL; the buffer lives through the call and its size is told.
        answer(unsafe { libc::syscall(LISTXATTRAT, fd.0, path.as_ptr(), flags, names.as_mut_ptr(), names.len()) })
    }

    fn get(&self, name: &CStr, value: &mut [u8]) -> rustix::io::Result<usize> {
        if self.path.is_empty() {
            return fs::fgetxattr(self.fd.get(), name, value);
        }
        // SAFETY: the kernel writes to the value no more than its size.
        unsafe { self.call(GETXATTRAT, name, value.as_mut_ptr(), value.len()) }
    }

    fn set(&self, name: &CStr, value: &[u8]) -> rustix::io::Result<()> {
        if self.path.is_empty() {
            return fs::fsetxattr(self.fd.get(), name, value, fs::XattrFlags::empty());
        }
        // SAFETY: the kernel only reads the value.
        unsafe { self.call(SETXATTRAT, name, value.as_ptr().cast_mut(), value.len()) }.map(|_| ())
    }

    /// # Safety
    /// The call must do no more with the `size` bytes of the value than may be done with them.
    unsafe fn call(&self, number: libc::c_long, name: &CStr, value: *mut u8, size: usize) -> rustix::io::Result<usize> {
        let size = u32::try_from(size).map_err(|_| Io::TOOBIG)?;
        let args = XattrArgs { value: value.expose_provenance() as u64, size, flags: 0 };
        let (path, flags) = (self.path.as_ptr(), libc::AT_SYMLINK_NOFOLLOW);
        // SAFETY: path and name end in NUL; the struct lives through the call and its size is told.
        answer(unsafe {
            libc::syscall(number, self.fd.0, path, flags, name.as_ptr(), &raw const args, size_of::<XattrArgs>())
        })
    }
}

fn answer(said: libc::c_long) -> rustix::io::Result<usize> {
    usize::try_from(said).map_err(|_| Io::from_raw_os_error(Errno::last().0))
}
