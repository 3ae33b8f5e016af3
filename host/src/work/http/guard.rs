//! Which addresses may be asked: those that everybody can reach. What only this machine or its network can reach is not for a request
//! whose address somebody else may have chosen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is {address}, {why}")]
pub struct Refused {
    host: String,
    address: IpAddr,
    why: &'static str,
}

/// May a host be asked that is at these addresses? One that is not public is enough to refuse: a name that is at both is a trick.
pub fn check(host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
    let refused =
        |address: &IpAddr| Some(Refused { host: host.to_owned(), address: *address, why: special(*address)? });
    addresses.iter().find_map(refused).map_or(Ok(()), Err)
}

/// What an address is, when it is none of the public ones.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("an address of this machine"),
        [127, ..] => Some("this machine itself"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("in a private network"),
        [100, 64..=127, ..] => Some("in the network of a provider"),
        // Where clouds keep the keys of their machines.
        [169, 254, ..] => Some("an address of the local link"),
        [192, 0, 0, _]
        | [192, 0, 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Some("reserved"),
        [224..=239, ..] => Some("for many at once"),
        [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this machine itself"),
        // IPv4 in other clothes: mapped, and as networks without IPv4 translate it (NAT64, 6to4).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        [0xfe80..=0xfebf, ..] => Some("an address of the local link"),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some("in a private network"),
        [0xff00..=0xffff, ..] => Some("for many at once"),
        // Tunnels, tests and documents.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("reserved"),
        // Nothing else is given to anybody.
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::http::literal;
    use reqwest::Url;

    /// What a URL's host is at, however it is spelled.
    fn at(host: &str) -> IpAddr {
        let url = Url::parse(&format!("http://{host}/")).unwrap();
        literal(&url).unwrap_or_else(|| panic!("{host} is read as a name: {url}"))
    }

    #[test]
    fn what_is_not_public_is_refused_however_it_is_spelled() {
        let refused = [
            // This machine.
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "[::1]",
            "[::]",
            "[0:0:0:0:0:0:0:1]",
            // Other spellings of it: decimal, octal, hexadecimal, short, encoded, wide.
            "2130706433",
            "0x7f000001",
            "017700000001",
            "0177.0.0.1",
            "0x7f.1",
            "127.1",
            "127.0.1",
            "0",
            "%31%32%37.0.0.1",
            "127%2e0%2e0%2e1",
            "１２７.０.０.１",
            "127。0。0。1",
            "127.0.0.1.",
            // Private networks.
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "3232235521",
            "100.64.0.1",
            "100.127.255.255",
            "[fc00::1]",
            "[fd12:3456:789a::1]",
            "[fec0::1]",
            // The local link, and what clouds keep there.
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[fe80::1]",
            "[febf::1]",
            "[fd00:ec2::254]",
            // IPv4 in IPv6.
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::ffff:10.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2002:a9fe:a9fe::1]",
            "[2001::1]",
            // Many at once, and nobody.
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "240.0.0.1",
            "[ff02::1]",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "[2001:db8::1]",
            "[3fff::1]",
            "[4000::1]",
            "[100::1]",
        ];
        for host in refused {
            assert!(check(host, &[at(host)]).is_err(), "{host} is {} and would be asked", at(host));
        }
    }

    #[test]
    fn what_is_public_is_asked() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "134744072",
            "[2606:4700:4700::1111]",
            "[2001:4860:4860::8888]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[2002:808:808::1]",
        ];
        for host in public {
            assert_eq!(check(host, &[at(host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn one_address_that_is_not_public_is_enough() {
        let (public, own) = (IpAddr::from([8, 8, 8, 8]), IpAddr::from([127, 0, 0, 1]));
        let refused = check("both.example", &[public, own]).expect_err("a trick");
        assert_eq!(refused.to_string(), "both.example is 127.0.0.1, this machine itself");
    }
}
