//! Where a lane's processes run, which server is started, and what stands before it.

use std::net::SocketAddr;

use anyhow::Result;
use servers::inject::Inject;

use crate::worker::Program;

/// Where the two sides run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cores {
    /// Core of the servers.
    pub server: Option<usize>,
    /// Core of the generators.
    pub client: Option<usize>,
}

/// Gives the address at which a server is to be reached.
pub type Through<'a> = &'a mut dyn FnMut(SocketAddr) -> Result<SocketAddr>;

/// Which server is started, where it is not this program's own.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whom messages about it name.
    pub name: String,
    /// What is started.
    pub program: Program,
    /// How it is to be worse than it is.
    pub inject: Option<Inject>,
}

/// What a lane's processes are put into.
pub struct Place<'a> {
    /// The server, where it is not this program's own.
    pub server: Option<&'a Server>,
    /// Where the two sides run.
    pub cores: Cores,
    /// What stands before the servers.
    pub through: Through<'a>,
    /// Connections that a fleet holds at most, the others waiting for their turn, as a browser does.
    pub browser: Option<usize>,
}
