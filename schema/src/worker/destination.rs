//! Where a command may connect to: the entries of the list `network` of `sandbox`.

use std::fmt;
use std::net::IpAddr;

/// The ports of an entry that names none: those of the web.
const PORTS: [u16; 2] = [443, 80];
/// The longest name of a host, and of a part of one.
const LONGEST: (usize, usize) = (253, 63);

/// One entry: `api.github.com:443`, `*.crates.io`, `127.0.0.1:8080`, `[::1]:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    One(Host),
    /// Every name beneath this one, not it itself.
    Beneath(String),
}

/// A host that somebody wants to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// In lower case, without a dot at its end.
    Name(String),
    /// IPv4 as such, whatever it came in.
    Address(IpAddr),
}

impl Destination {
    /// An entry; else why it is none.
    pub fn parse(text: &str) -> Result<Destination, &'static str> {
        if text.contains(['/', '@', '?', '#']) {
            return Err("write the host and its port alone, as `api.example.com:443`");
        }
        if text == "*" {
            return Err("every host is `network = true`");
        }
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address without a port is full of colons.
            Some((before, _)) if before.contains(':') && !before.ends_with(']') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let port = match port.map(|port| (port.bytes().all(|byte| byte.is_ascii_digit()), port.parse())) {
            None => None,
            Some((true, Ok(port @ 1..))) => Some(port),
            Some(_) => return Err("its port is a number from 1 to 65535"),
        };
        let host = match host.strip_prefix("*.") {
            None => Pattern::One(Host::parse(host)?),
            Some(zone) => match Host::parse(zone)? {
                Host::Name(zone) if zone.contains('.') => Pattern::Beneath(zone),
                Host::Name(_) => return Err("it is too much: name at least two parts, as `*.example.com`"),
                Host::Address(_) => return Err("`*.` stands before a name"),
            },
        };
        Ok(Destination { host, port })
    }

    /// Does it let through who wants to connect there?
    pub fn covers(&self, host: &Host, port: u16) -> bool {
        let beneath = |zone: &str| match host {
            Host::Name(name) => name.strip_suffix(zone).is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            Host::Address(_) => false,
        };
        let covered = match &self.host {
            Pattern::One(own) => own == host,
            Pattern::Beneath(zone) => beneath(zone),
        };
        covered && self.port.map_or(PORTS.contains(&port), |own| own == port)
    }
}

impl Host {
    /// A name or an address, IPv6 with or without brackets; else why it is none.
    pub fn parse(text: &str) -> Result<Host, &'static str> {
        let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match inside.unwrap_or(text).parse::<IpAddr>() {
            Ok(address) if inside.is_none() || address.is_ipv6() => return Ok(Host::Address(address.to_canonical())),
            _ => {}
        }
        if !text.is_ascii() {
            return Err("write the name as name servers know it: `xn--…`");
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let fits = |part: &str| {
            (1..=LONGEST.1).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.len() > LONGEST.0 || !name.split('.').all(fits) {
            return Err("it is neither the name of a host nor an address");
        }
        // Some programs take `2130706433` and `0x7f.1` for addresses, and others for names.
        let last = name.rsplit('.').next().unwrap_or("");
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return Err("write an address as four numbers, `127.0.0.1`, or as IPv6");
        }
        Ok(Host::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(entry: &str, host: &str, port: u16) -> bool {
        Destination::parse(entry).unwrap().covers(&Host::parse(host).unwrap(), port)
    }

    #[test]
    fn an_entry_covers_what_it_says_and_no_more() {
        let cases = [
            ("api.example.com", "api.example.com", 443, true),
            ("api.example.com", "API.Example.COM.", 80, true),
            ("API.example.com.", "api.example.com", 443, true),
            ("api.example.com", "api.example.com", 8080, false),
            ("api.example.com:8080", "api.example.com", 8080, true),
            ("api.example.com:8080", "api.example.com", 443, false),
            ("api.example.com", "api.example.com.evil.org", 443, false),
            ("example.com", "api.example.com", 443, false),
            ("*.example.com", "api.example.com", 443, true),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", "evilexample.com", 443, false),
            ("*.example.com:22", "a.example.com", 443, false),
            ("127.0.0.1:8080", "127.0.0.1", 8080, true),
            ("127.0.0.1:8080", "127.0.0.2", 8080, false),
            ("127.0.0.1:8080", "localhost", 8080, false),
            ("localhost:8080", "127.0.0.1", 8080, false),
            ("[::1]:8080", "[::1]", 8080, true),
            ("::1", "[0:0::1]", 80, true),
            // One address, however it comes.
            ("10.0.0.1:80", "[::ffff:10.0.0.1]", 80, true),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1", 80, true),
        ];
        for (entry, host, port, expected) in cases {
            assert_eq!(covers(entry, host, port), expected, "{entry} and {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_destination_is_none() {
        let wrong = [
            "",
            "*",
            "*.",
            "*.com",
            "*.127.0.0.1",
            "a.*.com",
            "https://api.example.com",
            "api.example.com/v1",
            "me@api.example.com",
            "api.example.com:",
            "api.example.com:0",
            "api.example.com:+1",
            "api.example.com:65536",
            "api.example.com:http",
            "api..example.com",
            ".example.com",
            "a b",
            "a,b",
            "bücher.example",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "127.1",
            "127.0.0.1.",
            "10.0.0.0/8",
            "[127.0.0.1]",
            "[::1",
            "::1]:80",
            "[::1]80",
            "fe80::1%eth0",
            "%31.example.com",
        ];
        for text in wrong {
            assert!(Destination::parse(text).is_err(), "{text}: {:?}", Destination::parse(text));
        }
    }
}
