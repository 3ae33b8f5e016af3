//! Where a listener comes in from a command's network, and what connects to it from there.

use super::rules::{LOOK_UPS, Rules};
use super::{AT_ONCE, Egress, proxy};
use aivm_schema::worker::Destination;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long it waits where this process has no file left for a connection.
const NO_FILES: Duration = Duration::from_millis(50);

/// The socket by which the launcher hands over its listener, in the call's own folder.
const SOCKET: &str = "egress";

/// A way out by a socket in this folder.
pub fn open(folder: &Path, list: Vec<Destination>) -> Result<Egress> {
    // The folder's name may be longer than a socket's: it is named by a file that is open.
    let held = std::fs::File::open(folder)?;
    let door = UnixListener::bind(Path::new("/proc/self/fd").join(held.as_raw_fd().to_string()).join(SOCKET))?;
    let (socket, refused) = (folder.join(SOCKET), Arc::default());
    let look_ups = Arc::new(Semaphore::new(LOOK_UPS));
    let rules = Arc::new(Rules { list, refused: Arc::clone(&refused), look_ups });
    let served = tokio::spawn(serve(door, socket.clone(), rules));
    Ok(Egress { socket, refused, served })
}

/// Serves what connects to the listener that comes by the door: the first, from the launcher; then there is none any more.
async fn serve(door: UnixListener, socket: PathBuf, rules: Arc<Rules>) {
    let Ok((launcher, _)) = door.accept().await else { return };
    drop(door);
    let _ = std::fs::remove_file(socket);
    let Ok(listener) = listener(launcher).await else { return };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut connections = JoinSet::new();
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let rules = rules.clone();
                connections.spawn(async move {
                    proxy::serve(stream, rules).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(NO_FILES).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// It stays one of the network that it was made in, whoever holds it.
async fn listener(launcher: UnixStream) -> Result<TcpListener> {
    let handed = launcher.async_io(Interest::READABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&launcher, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let handed: Option<OwnedFd> = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        handed.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    });
    let listener = std::net::TcpListener::from(handed.await?);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
