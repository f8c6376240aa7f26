//! The server's end of TLS: a certificate made when the server starts, TLS 1.3 alone, ring.
//!
//! Made anew each time, so that no key lies in a repository; whoever is to trust it gets the
//! certificate itself (a fleet through its order), and verification stays on.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use scenarios::Carrier;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring, version::TLS13};

/// How long a client may take for its handshake, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// What makes a listener speak TLS.
#[derive(Clone)]
pub struct Secured {
    /// Does the handshakes.
    pub acceptor: TlsAcceptor,
    /// The certificate to trust, DER.
    pub certificate: Vec<u8>,
    /// How long a client may take for its handshake.
    pub patience: Duration,
}

/// What both ends offer by ALPN (RFC 7301) for a carrier.
#[must_use]
pub fn protocols(carrier: Carrier) -> Vec<Vec<u8>> {
    match carrier {
        Carrier::H1 => vec![b"http/1.1".to_vec()],
        Carrier::H2 => vec![b"h2".to_vec()],
        Carrier::Tcp => Vec::new(),
    }
}

/// A key and its certificate, DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// PKCS #8.
    pub key: Vec<u8>,
    /// Self-signed.
    pub certificate: Vec<u8>,
}

impl Identity {
    /// Makes one for loopback and the address that is listened on.
    ///
    /// # Errors
    /// No key or certificate can be made.
    pub fn make(address: IpAddr) -> Result<Self> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
        if !address.is_unspecified() && !address.is_loopback() {
            names.push(address.to_string());
        }
        let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
        Ok(Self { key: made.signing_key.serialize_der(), certificate: made.cert.der().to_vec() })
    }
}

/// Makes a key and a certificate for loopback and the address that is listened on.
///
/// # Errors
/// No key or certificate can be made.
pub fn secure(carrier: Carrier, address: IpAddr) -> Result<Secured> {
    secure_with(protocols(carrier), address)
}

/// The same for a listener that offers these protocols, the one it prefers first.
///
/// # Errors
/// No key or certificate can be made.
pub fn secure_with(protocols: Vec<Vec<u8>>, address: IpAddr) -> Result<Secured> {
    secure_as(protocols, Identity::make(address)?)
}

/// The same with this key and certificate: of a server that takes another's place.
///
/// # Errors
/// They are none, or do not belong together.
pub fn secure_as(protocols: Vec<Vec<u8>>, identity: Identity) -> Result<Secured> {
    let Identity { key, certificate } = identity;
    let (key, der) = (PrivatePkcs8KeyDer::from(key), CertificateDer::from(certificate.clone()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![der], key.into()))
        .context("cannot set up TLS")?;
    config.alpn_protocols = protocols;
    Ok(Secured { acceptor: Arc::new(config).into(), certificate, patience: PATIENCE })
}
