//! The way out of a command that may reach a few destinations: a listener in its own network, which is handed over to the process
//! outside that knows what is let through.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Result};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Where it listens, in the words that programs look for. Nothing goes past it: there is nowhere to go.
pub fn variables(proxy: &SocketAddr) -> Vec<(&'static str, String)> {
    const PROXY: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    const PAST_IT: [&str; 2] = ["no_proxy", "NO_PROXY"];
    let proxy = PROXY.map(|name| (name, format!("http://{proxy}")));
    proxy.into_iter().chain(PAST_IT.map(|name| (name, String::new()))).collect()
}

/// Listens, and gives the listener to whoever made this socket. What connects meanwhile waits.
pub fn hand_over(socket: &Path) -> std::result::Result<SocketAddr, String> {
    let handed = || -> Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let outside = UnixStream::connect(socket)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let handed = [listener.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&handed));
        // A message has to have something in it to carry a file.
        sendmsg(&outside, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
        listener.local_addr()
    };
    handed().map_err(|error| format!("its way out: {error}"))
}
