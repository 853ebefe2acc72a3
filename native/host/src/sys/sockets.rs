//! Unix sockets: what parent and child say to each other, and descriptors handed over.

use super::{errno::Errno, text::Text, value::Fd};
use crate::{calls, record};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::{
    ffi::CString,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::OwnedFd,
};

record! {
    /// One message: its text (empty when the other side has gone) and the descriptors that came with it.
    Message { text: Text = "text", fds: Vec<OwnedFd> = "fds" }
}

fn send(socket: Fd, bytes: &[u8], fds: &[Fd]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let borrowed: Vec<_> = fds.iter().map(|fd| fd.get()).collect();
    if !borrowed.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(Errno(libc::EMSGSIZE));
    }
    rustix::io::retry_on_intr(|| {
        net::sendmsg(socket.get(), &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

calls! {
    /// `socketpair(2)`: SOCK_SEQPACKET, close-on-exec.
    fn socketPair() -> (OwnedFd, OwnedFd) {
        Ok(net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
    }

    /// `connect(2)` to the stream socket at `path`, which must be shorter than 108 bytes: unix(7).
    fn connectUnix(path: CString) -> OwnedFd {
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    }

    /// `sendmsg(2)` of one message, with up to four descriptors (SCM_RIGHTS).
    fn sendMessage(socket: Fd, text: CString, fds: Vec<Fd>) -> () {
        send(socket, text.as_bytes(), &fds)
    }

    /// `recvmsg(2)`: the next message, of at most `limit` bytes.
    fn receiveMessage(socket: Fd, limit: u32) -> Message {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = vec![0_u8; usize::try_from(limit).unwrap_or(0).min(1 << 20)];
        let received = rustix::io::retry_on_intr(|| {
            net::recvmsg(socket.get(), &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })?;
        bytes.truncate(received.bytes);
        let mut fds = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        Ok(Message { text: Text(bytes), fds })
    }
}
