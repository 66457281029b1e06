//! The section `[server]`: where programs on this machine find the node.

use crate::address::ApiAddress;
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
    }
}
