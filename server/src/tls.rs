//! The certificate that the API is served with, read again when its files change.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::sleep;

use crate::error::StartError;

/// How often it is looked whether the files have changed.
const LOOKED: Duration = Duration::from_secs(5);

/// A certificate with its key. Cheap to clone; the clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Certificate(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    chain: Utf8PathBuf,
    key: Utf8PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads one.
    pub(crate) fn read(chain: &Utf8Path, key: &Utf8Path) -> Result<Self, StartError> {
        let current = RwLock::new(Arc::new(read(chain, key)?));
        Ok(Self(Arc::new(Kept { chain: chain.to_owned(), key: key.to_owned(), current })))
    }

    /// What a server needs to serve with it.
    pub(crate) fn config(&self) -> Result<ServerConfig, StartError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|why| {
            StartError::Certificate { path: self.0.chain.clone(), why: why.to_string() }
        })?;
        let resolver = Arc::new(self.clone());
        Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Reads it again whenever its files have changed. One that cannot be used is not.
    pub(crate) async fn follow(self) {
        let mut seen = self.changed_at();
        loop {
            sleep(LOOKED).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            seen = now;
            match read(&self.0.chain, &self.0.key) {
                Ok(new) => {
                    *self.0.current.write() = Arc::new(new);
                    tracing::info!(path = %self.0.chain, "the certificate was read again");
                }
                Err(why) => tracing::error!(%why, "the certificate stays as it was"),
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.0.chain, &self.0.key]
            .map(|path| fs::metadata(path).and_then(|about| about.modified()).ok())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.read()))
    }
}

fn read(chain: &Utf8Path, key: &Utf8Path) -> Result<CertifiedKey, StartError> {
    let unusable =
        |path: &Utf8Path, why: String| StartError::Certificate { path: path.to_owned(), why };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| unusable(chain, why.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable(chain, "there is no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| unusable(key, why.to_string()))?;
    CertifiedKey::from_der(certificates, secret, &aws_lc_rs::default_provider())
        .map_err(|why| unusable(chain, why.to_string()))
}
