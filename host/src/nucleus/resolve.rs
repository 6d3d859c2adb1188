//! Names of hosts, for probes: addresses, `localhost` and `/etc/hosts`. A static executable has
//! no name service switch, and a supervisor should not wait for a name server.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The addresses to try, in order.
pub fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let ips = match (host.parse::<IpAddr>(), host) {
        (Ok(ip), _) => vec![ip],
        (_, "localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        _ => in_hosts_file(&fs::read_to_string("/etc/hosts").unwrap_or_default(), host),
    };
    if ips.is_empty() {
        let message = format!("\"{host}\" is neither an address nor a name in /etc/hosts");
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(ips
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect())
}

fn in_hosts_file(text: &str, host: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let ip = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(ip)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hosts_file() {
        let text = "127.0.0.1 localhost # box\n10.0.0.7\tdb DB2 # cache\n# 10.0.0.8 cache\n";
        assert_eq!(
            in_hosts_file(text, "db2"),
            ["10.0.0.7".parse::<IpAddr>().unwrap()]
        );
        assert!(in_hosts_file(text, "cache").is_empty());
        assert_eq!(addresses("::1", 80).unwrap(), ["[::1]:80".parse().unwrap()]);
        assert!(addresses("no-such-host.invalid", 80).is_err());
    }
}
