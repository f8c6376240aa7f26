//! Where a run ran, as the kernel told it: the machine, and the options of both ends' sockets.
//!
//! Apart from what was measured, because it only describes; readers find it under the same roof.

use std::collections::BTreeMap;

use scenarios::Http2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a run ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Version of this program.
    pub version: String,
    /// Commit it was built from, with `+` when the tree was changed; `unknown` outside git.
    pub commit: String,
    /// Build profile; runs of different profiles are not comparable.
    pub profile: String,
    /// Compiler it was built with; empty in older files.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rustc: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// Usable cores.
    pub cores: u64,
    /// Cores the servers were pinned to; empty when not pinned.
    pub server_cores: Vec<u64>,
    /// Cores the generators were pinned to; empty when not pinned.
    pub client_cores: Vec<u64>,
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// Clock source of the kernel.
    pub clock_source: String,
    /// Frequency governor, `none` where there is no scaling.
    pub governor: String,
    /// Descriptors a process may hold.
    pub descriptors: u64,
    /// Kernel settings that matter, by name.
    pub sysctls: BTreeMap<String, String>,
}

/// Options of one end's sockets, read back from the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sockets {
    /// Congestion control.
    pub congestion: String,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// Maximum segment size in use, bytes.
    pub mss: u32,
    /// `SO_SNDBUF`, bytes.
    pub send_buffer_bytes: u64,
    /// `SO_RCVBUF`, bytes.
    pub receive_buffer_bytes: u64,
    /// Size of the user-space read buffer, bytes (shared by all connections of a thread, or one
    /// each: see METHOD.md).
    pub read_buffer_bytes: u64,
    /// Listen backlog (server side only).
    pub backlog: u32,
    /// What TLS agreed on (client side only): version, cipher suite, key exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// What this end told the other of HTTP/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2: Option<Http2>,
}
