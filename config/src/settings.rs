//! All sections together, and the rules between them.

use crate::feed::Feed;
use crate::identity::Identity;
use crate::log::Log;
use crate::network::Network;
use crate::node::Node;
use crate::replica::Replica;
use crate::section::Section;
use crate::server::Server;
use crate::setting::Unfit;
use crate::store::Store;

/// Everything a node is told before it starts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `[identity]`
    pub identity: Identity,
    /// `[log]`
    pub log: Log,
    /// `[server]`
    pub server: Server,
    /// `[network]`
    pub network: Network,
    /// `[store]`
    pub store: Store,
    /// `[feed]`
    pub feed: Feed,
    /// `[node]`
    pub node: Node,
    /// `[replica]`
    pub replica: Replica,
}

impl Settings {
    /// The sections, in the order they are documented.
    pub fn sections(&self) -> [&dyn Section; 8] {
        let Self { identity, log, server, network, store, feed, node, replica } = self;
        [identity, log, server, network, store, feed, node, replica]
    }

    /// The section of this name.
    pub fn section_mut(&mut self, name: &str) -> Option<&mut dyn Section> {
        let sections: [&mut dyn Section; 8] = [
            &mut self.identity,
            &mut self.log,
            &mut self.server,
            &mut self.network,
            &mut self.store,
            &mut self.feed,
            &mut self.node,
            &mut self.replica,
        ];
        sections.into_iter().find(|section| section.name() == name)
    }

    /// What is wrong between settings that are each right by themselves, with the key at fault.
    pub fn validate(&self) -> Vec<(&'static str, Unfit)> {
        let rules = [
            self.plaintext(),
            self.half_a_certificate(),
            self.twice(),
            self.same_port(),
            self.nameless_bootstrap(),
            self.network.out_of_range(),
            self.store.out_of_range(),
            self.node.out_of_range(),
        ];
        rules.into_iter().flatten().collect()
    }

    fn plaintext(&self) -> Option<(&'static str, Unfit)> {
        let address = self.server.listen;
        let is_open = self.server.certificate().is_none() && !self.server.allow_plaintext;
        let exposed = !address.is_loopback() && is_open;
        exposed.then(|| {
            let why = format!("{address} can be reached by other machines, without TLS");
            let hint = "listen on 127.0.0.1, name a certificate in server.tls, or set \
                        server.allow_plaintext = true if the network between them is yours";
            ("server.listen", Unfit::new(why).hint(hint))
        })
    }

    fn half_a_certificate(&self) -> Option<(&'static str, Unfit)> {
        // A key alone does nothing, and may be named first.
        let is_half = self.server.tls.path().is_some() && self.server.tls_key.path().is_none();
        is_half.then(|| {
            let why = "a certificate is named, and not its key";
            ("server.tls", Unfit::new(why).hint("set server.tls_key first"))
        })
    }

    fn twice(&self) -> Option<(&'static str, Unfit)> {
        let listen = &self.network.listen;
        let mut seen = Vec::new();
        let twice = listen.iter().filter(|address| address.port() != 0).find(|address| {
            let known = seen.contains(address);
            seen.push(address);
            known
        })?;
        Some(("network.listen", Unfit::new(format!("{twice} is listed twice"))))
    }

    fn same_port(&self) -> Option<(&'static str, Unfit)> {
        let api = self.server.listen.socket();
        let clash = self.network.listen.iter().find(|address| address.takes(api))?;
        let why = format!("{clash} and server.listen = {} want the same port", self.server.listen);
        Some(("network.listen", Unfit::new(why).hint("give one of them another port")))
    }

    fn nameless_bootstrap(&self) -> Option<(&'static str, Unfit)> {
        let nameless = self.network.bootstrap.iter().find(|address| address.peer().is_none())?;
        let why = format!("{nameless} does not say which peer is expected there");
        Some(("network.bootstrap", Unfit::new(why).hint("end it with /p2p/ and the peer's id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::section::Raw;

    fn check(settings: &[(&str, &str, &str)], expect: &[(&str, &str)]) {
        let mut all = Settings::default();
        for (section, key, value) in settings {
            let section = all.section_mut(section).unwrap();
            section.set(key, Raw::Text(value)).unwrap().unwrap();
        }
        let found = all.validate();
        let found: Vec<_> = found.iter().map(|(key, unfit)| (*key, unfit.why.as_str())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn the_defaults_are_in_order() {
        check(&[], &[]);
    }

    #[test]
    fn an_api_that_others_can_reach_needs_to_be_asked_for() {
        let why = "0.0.0.0:2770 can be reached by other machines, without TLS";
        check(&[("server", "listen", "0.0.0.0:2770")], &[("server.listen", why)]);
        let asked = [("server", "listen", "0.0.0.0:2770"), ("server", "allow_plaintext", "true")];
        check(&asked, &[]);
        let key = ("server", "tls_key", "/k.pem");
        check(&[("server", "listen", "0.0.0.0:2770"), ("server", "tls", "/c.pem"), key], &[]);
        check(&[key], &[]);
        let why = "a certificate is named, and not its key";
        check(&[("server", "tls", "/c.pem")], &[("server.tls", why)]);
        check(&[("server", "listen", "[::1]:2770")], &[]);
    }

    #[test]
    fn two_services_cannot_share_a_port() {
        let why = "/ip4/0.0.0.0/tcp/2770 and server.listen = 127.0.0.1:2770 want the same port";
        check(&[("network", "listen", "/ip4/0.0.0.0/tcp/2770")], &[("network.listen", why)]);
        check(&[("network", "listen", "/ip4/0.0.0.0/udp/2770/quic-v1")], &[]);
        check(&[("network", "listen", "/ip4/10.0.0.1/tcp/2770")], &[]);
        check(
            &[("server", "listen", "127.0.0.1:0"), ("network", "listen", "/ip4/127.0.0.1/tcp/0")],
            &[],
        );
    }

    #[test]
    fn numbers_of_the_store_have_bounds() {
        check(&[("store", "memory_mib", "4")], &[]);
        let why = "3 is not between 4 and 65536";
        check(&[("store", "memory_mib", "3")], &[("store.memory_mib", why)]);
        check(&[("store", "queue", "0")], &[("store.queue", "0 is not between 1 and 65536")]);
    }

    #[test]
    fn numbers_of_the_network_have_bounds() {
        check(&[("network", "connections", "1")], &[]);
        let why = "0 is not between 1 and 65536";
        check(&[("network", "streams", "0")], &[("network.streams", why)]);
    }

    #[test]
    fn numbers_of_the_node_have_bounds() {
        check(&[("node", "drain_secs", "1")], &[]);
        let why = "0 is not between 1 and 3600";
        check(&[("node", "drain_secs", "0")], &[("node.drain_secs", why)]);
    }

    #[test]
    fn an_address_is_listed_once() {
        let twice = "/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/1";
        let why = "/ip4/127.0.0.1/tcp/1 is listed twice";
        check(&[("network", "listen", twice)], &[("network.listen", why)]);
        check(&[("network", "listen", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/tcp/0")], &[]);
    }

    #[test]
    fn a_bootstrap_address_names_its_peer() {
        let why = "/ip4/10.0.0.1/tcp/2771 does not say which peer is expected there";
        check(&[("network", "bootstrap", "/ip4/10.0.0.1/tcp/2771")], &[("network.bootstrap", why)]);
    }
}
