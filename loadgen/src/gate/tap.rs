//! A tap: passes one connection on as it is, and keeps what comes down.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result};

/// A tap before a server; it ends with its connection.
pub struct Tap {
    address: SocketAddr,
    down: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Waits on a free port of loopback for the one connection to `server`.
    ///
    /// # Errors
    /// No socket, or no thread.
    pub fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot start a tap")?;
        let tap = Self { address: listener.local_addr()?, down: Arc::default() };
        let down = Arc::clone(&tap.down);
        let body = move || {
            let Ok((client, _)) = listener.accept() else { return };
            let Ok(server) = TcpStream::connect(server) else { return };
            // What ends either end, ends both; the account of the lane tells of it.
            let _ended = pass(client, server, &down);
        };
        std::thread::Builder::new().name("tap".into()).spawn(body).context("cannot start a thread")?;
        Ok(tap)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn down(&self) -> MutexGuard<'_, Vec<u8>> {
        self.down.lock().expect("no holder of this lock panics")
    }

    /// Bytes that came down so far.
    pub fn length(&self) -> usize {
        self.down().len()
    }

    /// What came down so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.down().clone()
    }
}

fn pass(client: TcpStream, server: TcpStream, kept: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut up_from, &mut up_to);
        // The server learns that its client has gone, or it is gone itself.
        let _gone = up_to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return to.shutdown(Shutdown::Write);
        }
        // Before it is passed on, so that who has it knows that it is kept.
        kept.lock().expect("no holder of this lock panics").extend_from_slice(&buffer[..length]);
        to.write_all(&buffer[..length])?;
    }
}
