//! By which names this server may be called.
//!
//! A page of some site can have its own name point at this machine, and then call what listens here as if it were
//! itself. Its requests say its name, so whoever is called by a name that is not its own answers nothing.

use mangrove_config::server::Server as Settings;

/// The names by which this server may be called.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// What always leads here, and what the settings list.
    pub(super) fn of(settings: &Settings) -> Self {
        let mut all = vec!["localhost".to_owned()];
        all.extend(settings.hosts.iter().map(|host| host.to_string().to_ascii_lowercase()));
        Self(all)
    }

    /// Whether a request that names this host is meant for this server. Numbers cannot be made to point elsewhere.
    pub(super) fn has(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let number = name.trim_start_matches('[').trim_end_matches(']');
        number.parse::<std::net::IpAddr>().is_ok() || self.0.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|it| it.is_ascii_digit()) => {
            // `::1` is a number without brackets, and no name with a port.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_listed_names_are_let_in_and_no_others() {
        let hosts = Hosts(vec!["localhost".to_owned(), "node.example".to_owned()]);
        for good in [
            "localhost",
            "LocalHost:2770",
            "127.0.0.1:1",
            "127.0.0.1",
            "[::1]:2770",
            "[::1]",
            "::1",
            "node.example:443",
            "192.168.1.7:2770",
        ] {
            assert!(hosts.has(good), "{good}");
        }
        for bad in
            ["", "evil.example", "evil.example:2770", "localhost.evil.example", "127.0.0.1.x"]
        {
            assert!(!hosts.has(bad), "{bad}");
        }
    }
}
