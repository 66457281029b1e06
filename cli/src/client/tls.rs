//! Whom to believe that it is the node, where the API is served with TLS.

use std::fs;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::session::Session;

/// The variable by which programs are told of certificates.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Where systems keep the certificates that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS that believes the certificates of the file that is named, or else those of the system; and, of the node of this
/// home, its own.
pub(super) fn config(session: &Session) -> Result<TlsConfig, Failure> {
    let named = session.environment.get(VARIABLE);
    let named = named.map_err(|problem| Failure::config(&problem.into()))?;
    let bundle = || BUNDLES.into_iter().find(|path| fs::metadata(path).is_ok());
    let mut certificates = match named.or_else(bundle) {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    if session.api.is_none()
        && let Some(own) = session.resolve()?.settings.server.tls.path()
    {
        certificates.extend(read(own.as_str())?);
    }
    if certificates.is_empty() {
        return Err(none());
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build())
}

fn read(path: &str) -> Result<Vec<Certificate<'static>>, Failure> {
    let failed = || Failure::new(Kind::Config, format!("cannot read certificates from {path}"));
    let pem = fs::read(path).map_err(|why| failed().because(why))?;
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    match certificates.collect::<Vec<_>>() {
        certificates if certificates.is_empty() => Err(failed().because("it holds none")),
        certificates => Ok(certificates),
    }
}

fn none() -> Failure {
    Failure::new(Kind::Config, "this system has no certificates to know the node by")
        .hint(format!("name a file that holds that of the node: {VARIABLE}=F"))
}
