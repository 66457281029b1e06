//! The section `[server]`: where programs on this machine find the node.

use camino::Utf8Path;

use crate::address::ApiAddress;
use crate::certificate::File;
use crate::host::Host;
use crate::origin::Origin;
use crate::section::section;

section! {
    /// Where programs find the API of this node.
    "server" => Server {
        /// IP address and port of the API. Port 0 takes any free one.
        listen: ApiAddress = ApiAddress::loopback(2770),
        /// Whether the API may be served without TLS where other machines can reach it. Tokens and
        /// data then cross the network readable; behind a TLS proxy on the same machine, listen on
        /// 127.0.0.1 instead.
        allow_plaintext: bool = false,
        /// Names by which the API may be called, besides `localhost` and any IP address. A request that names
        /// another host is refused: a page could otherwise have a name of its own point here.
        hosts: Vec<Host> = Vec::new(),
        /// Origins of pages that may call the API from a browser: `https://app.example.org`. Pages of any
        /// other origin are refused.
        origins: Vec<Origin> = Vec::new(),
        /// Calls a second that may be made with one token; 0 is no limit.
        calls_per_token: u64 = 100_000,
        /// Requests a second that may come from one address; 0 is no limit.
        calls_per_address: u64 = 100_000,
        /// The certificate chain that the API is served with, in PEM. Without it there is no TLS. It is
        /// read again when the file changes.
        tls: File = File::default(),
        /// The private key of that certificate, in PEM.
        tls_key: File = File::default(),
    }
}

impl Server {
    /// The certificate and its key, if the API is served with TLS.
    pub fn certificate(&self) -> Option<(&Utf8Path, &Utf8Path)> {
        self.tls.path().zip(self.tls_key.path())
    }
}
