//! A middlebox that cuts idle connections: a relay of bytes whose patience ends when none came from either
//! side.
//!
//! It stands for the idle time-outs of proxies, load balancers and NAT gateways, and does nothing else: a
//! relay of streams can close connections truthfully, but not delay or lose packets (METHOD M27). Own code,
//! because the rule must be known exactly: one timer a connection, restarted by every read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A running middlebox; it ends, and every connection through it, when it is dropped.
pub struct Middlebox {
    address: SocketAddr,
    cut: Arc<AtomicU64>,
    running: oneshot::Sender<()>,
}

impl Middlebox {
    /// Starts one on a free port of loopback, before `server`.
    ///
    /// # Errors
    /// No socket, or no thread.
    pub fn start(server: SocketAddr, patience: Duration) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot start a middlebox")?;
        listener.set_nonblocking(true)?;
        let (address, cut) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let (running, dropped) = oneshot::channel();
        let (runtime, counted) = (servers::host::runtime()?, Arc::clone(&cut));
        let body = move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = dropped => {}
                    _ended = accept(listener, server, patience, counted) => {}
                }
            });
        };
        std::thread::Builder::new().name("middlebox".into()).spawn(body).context("cannot start a thread")?;
        Ok(Self { address, cut, running })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it has cut so far.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    /// Whether its thread still relays.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.running.is_closed()
    }
}

async fn accept(
    listener: std::net::TcpListener,
    server: SocketAddr,
    patience: Duration,
    cut: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            if relay(client, server, || tokio::time::sleep(patience)).await.is_ok_and(|was_idle| was_idle) {
                cut.fetch_add(1, Relaxed);
            }
        });
    }
}

/// Relays until one side ends, or the clock that every byte starts anew runs out: whether it was that.
async fn relay<S, F>(mut client: S, mut server: S, silence: impl Fn() -> F) -> std::io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            length = client.read(&mut up) => match length? {
                0 => return Ok(false),
                length => server.write_all(&up[..length]).await?,
            },
            length = server.read(&mut down) => match length? {
                0 => return Ok(false),
                length => client.write_all(&down[..length]).await?,
            },
            () = silence() => return Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::Notify;

    /// A relay whose clock runs out when it is told so, its two ends, and the clocks it has started.
    type Started = Arc<Mutex<Vec<Arc<Notify>>>>;

    fn relayed() -> (tokio::task::JoinHandle<std::io::Result<bool>>, [DuplexStream; 2], Started) {
        let ((browser, near), (far, server)) = (duplex(64), duplex(64));
        let started = Started::default();
        let clocks = Arc::clone(&started);
        let silence = move || {
            let clock = Arc::new(Notify::new());
            clocks.lock().unwrap().push(Arc::clone(&clock));
            async move { clock.notified().await }
        };
        (tokio::spawn(relay(near, far, silence)), [browser, server], started)
    }

    async fn passes(from: &mut DuplexStream, to: &mut DuplexStream) {
        from.write_all(b"!").await.unwrap();
        to.read_exact(&mut [0]).await.unwrap();
    }

    #[tokio::test]
    async fn every_byte_of_either_side_starts_the_clock_anew() {
        let (relayed, [mut browser, mut server], started) = relayed();
        passes(&mut server, &mut browser).await;
        passes(&mut browser, &mut server).await;
        tokio::task::yield_now().await;
        let clocks = std::mem::take(&mut *started.lock().unwrap());
        assert_eq!(clocks.len(), 3);
        clocks[..2].iter().for_each(|old| old.notify_one());
        passes(&mut server, &mut browser).await;
        tokio::task::yield_now().await;
        let last = started.lock().unwrap().pop().unwrap();
        last.notify_one();
        assert!(relayed.await.unwrap().unwrap(), "cut for silence");
        assert_eq!(browser.read(&mut [0]).await.unwrap() + server.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn who_leaves_is_not_cut() {
        let (relayed, [browser, _server], _clocks) = relayed();
        drop(browser);
        assert!(!relayed.await.unwrap().unwrap());
    }
}
