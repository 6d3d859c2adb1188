//! TLS for probes. Everything it needs is made for one connection and gone after it: an idle
//! supervisor has no certificates in its memory.

use super::{brief::one_line, probe};
use crate::protocol::HttpProbe;
use nix::libc;
use std::{env, fs, io, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{
    client::TlsStream,
    rustls::{
        client::{
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
            verify_server_name, WebPkiServerVerifier,
        },
        crypto::{ring, verify_tls12_signature, verify_tls13_signature, CryptoProvider},
        pki_types::{pem::PemObject, CertificateDer, ServerName, UnixTime},
        server::ParsedCertificate,
        CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
        SignatureScheme,
    },
    TlsConnector,
};

/// Where systems have the certificates they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Gives back what a connection needed, when it is over.
pub struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        // SAFETY: no pointers.
        unsafe { libc::malloc_trim(0) };
    }
}

pub async fn connect(probe: &HttpProbe, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let config = config(probe)?;
    let name = ServerName::try_from(probe.host.clone()).map_err(|_| {
        format!(
            "\"{}\" is no name that a certificate could be for",
            probe.host
        )
    })?;
    let connector = TlsConnector::from(Arc::new(config));
    let result = connector.connect(name, stream).await;
    result.map_err(|error| explain(&error, &probe.host))
}

fn config(probe: &HttpProbe) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (probe.insecure, &probe.ca_file) {
        (true, _) => Arc::new(Anybody(Arc::clone(&provider))),
        (false, Some(file)) => trusting(certificates(file)?, true, &provider)
            .ok_or_else(|| format!("{file}: no certificate in it"))?,
        (false, None) => {
            let file = bundle().ok_or(
                "this system has no certificates to trust (set ca-file, or SSL_CERT_FILE)",
            )?;
            trusting(certificates(&file)?, false, &provider)
                .ok_or_else(|| format!("{file}: no certificate in it"))?
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| one_line(&error.to_string(), 200))?;
    let mut config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
    Ok(config)
}

fn bundle() -> Option<String> {
    let own = env::var("SSL_CERT_FILE")
        .ok()
        .filter(|path| !path.is_empty());
    own.or_else(|| {
        let found = BUNDLES.iter().find(|path| fs::metadata(path).is_ok());
        found.map(|path| (*path).to_owned())
    })
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("{file}: {}", probe::reason(&error)))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>();
    certificates.map_err(|error| format!("{file}: {error}"))
}

/// `pinned`: a server that shows one of these very certificates is trusted, too, as far as the
/// name is right: that is how programs are served that made their certificate themselves.
fn trusting(
    certificates: Vec<CertificateDer<'static>>,
    pinned: bool,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let inner = builder.build().ok()?;
    Some(match pinned {
        true => Arc::new(Pinned {
            certificates,
            inner,
        }),
        false => inner,
    })
}

#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = self
            .inner
            .verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match result {
            // Its dates were not looked at; its owner has put it here himself.
            Err(Error::InvalidCertificate(error))
                if is_unknown(&error)
                    && self.certificates.iter().any(|known| known == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// For `insecure`: whoever answers is the right one.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn explain(error: &io::Error, host: &str) -> String {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::InvalidCertificate(error)) => {
            format!("certificate of {host}: {}", wrong(error))
        }
        Some(Error::InvalidMessage(_)) => "what came is no TLS".into(),
        Some(Error::AlertReceived(alert)) => format!("the server refused TLS: {alert:?}"),
        Some(error) => one_line(&error.to_string(), 200),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed during the TLS handshake".into()
        }
        None => probe::reason(error),
    }
}

fn wrong(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet".into()
        }
        other if is_unknown(other) => {
            "signed by nobody who is trusted here (ca-file names others)".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".into()
        }
        CertificateError::Revoked => "revoked".into(),
        CertificateError::BadSignature => "its signature is wrong".into(),
        other => one_line(&other.to_string(), 150),
    }
}

/// Also of a certificate that may sign others, as programs make them for themselves.
fn is_unknown(error: &CertificateError) -> bool {
    match error {
        CertificateError::UnknownIssuer => true,
        CertificateError::Other(other) => format!("{other:?}").contains("CaUsedAsEndEntity"),
        _ => false,
    }
}
