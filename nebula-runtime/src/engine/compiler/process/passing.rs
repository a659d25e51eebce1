//! Passes sockets from one process to another.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{fd::AsFd, unix::net::UnixStream},
};

use rustix::{
    cmsg_space,
    io::{Errno, FdFlags, fcntl_setfd},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};

/// Passes a socket on.
pub(super) fn send(to: &UnixStream, passed: &UnixStream) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let passed = [passed.as_fd()];
    message.push(SendAncillaryMessage::ScmRights(&passed));
    // A socket is passed beside a byte.
    sendmsg(to, &[IoSlice::new(&[0])], &mut message, SendFlags::empty())?;
    Ok(())
}

/// The next socket that is passed, or `None` after the last one.
pub(super) fn receive(from: impl AsFd) -> io::Result<Option<UnixStream>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut received = || recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut message, RecvFlags::empty());
    let received = loop {
        match received() {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut passed = message.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    let Some(socket) = passed.next() else { return Ok(None) };
    // No program that this process starts has it.
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    Ok(Some(socket.into()))
}
