//! TLS to upstreams: always verified, against the system's certificates or those of the app.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_native_tls::TlsConnector;
use tokio_native_tls::native_tls::{self, Certificate, Protocol};

/// The connectors of this process, by the certificates they trust. Reading the system's takes tens of milliseconds.
#[derive(Default)]
pub struct TlsConnectors(Mutex<HashMap<Option<String>, TlsConnector>>);

/// More sets than a process has apps with their own certificates.
const KEPT: usize = 256;

impl TlsConnectors {
    pub fn known(&self, ca: Option<&String>) -> Option<TlsConnector> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&ca.cloned()).cloned()
    }

    /// Reads the certificates, and blocks the thread. With `ca`, no other certificate is trusted.
    pub fn load(&self, ca: Option<String>) -> Result<TlsConnector, native_tls::Error> {
        let mut builder = native_tls::TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        if let Some(pem) = &ca {
            builder.disable_built_in_roots(true);
            for certificate in Certificate::stack_from_pem(pem.as_bytes())? {
                builder.add_root_certificate(certificate);
            }
        }
        let connector = TlsConnector::from(builder.build()?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(ca, connector.clone());
        Ok(connector)
    }
}
