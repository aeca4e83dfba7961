//! Where the platform delivers its telemetry. What it says is read by [`event`](crate::facts::event).
//!
//! Every batch is answered with 200, whatever is in it: a batch that is refused is delivered again for
//! ever.

use std::net::{IpAddr, Ipv4Addr};
use tokio::net::{TcpListener, lookup_host};

/// Largest batch that is read; the subscription asks for at most 256 KiB of events in one.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// The name of the sandbox's own address, to which the platform delivers.
const SANDBOX: &str = "sandbox.localdomain";

/// The address at which the platform delivers, as the text of `/etc/hosts` tells it.
pub fn address_in(hosts: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: Ipv4Addr = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(SANDBOX)).then_some(address.into())
    })
}

/// Asks the name servers for that address. Outside Lambda this can take seconds and find nothing.
pub async fn look_up_address() -> Option<IpAddr> {
    let mut found = lookup_host((SANDBOX, 0)).await.ok()?;
    found.find(|address| address.is_ipv4()).map(|address| address.ip())
}

/// Binds a listener for the platform at `address`, or on loopback where that is not ours or not known: a
/// local host then delivers there.
///
/// # Errors
///
/// If loopback cannot be bound either.
pub async fn bind(address: Option<IpAddr>) -> std::io::Result<TcpListener> {
    if let Some(address) = address
        && let Ok(listener) = TcpListener::bind((address, 0)).await
    {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

#[cfg(test)]
mod tests {
    use super::address_in;
    use std::net::Ipv4Addr;

    #[test]
    fn the_sandbox_s_address_is_a_line_of_a_file() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 sandbox.localdomain\n10.0.0.2 x # sandbox.localdomain\n\
                     ::1 sandbox.localdomain\n\n169.254.1.2\t Sandbox.localdomain sandbox\n10.0.0.3 sandbox.localdomain";
        assert_eq!(address_in(hosts), Some(Ipv4Addr::new(169, 254, 1, 2).into()));
        assert_eq!(address_in("127.0.0.1 localhost my.sandbox.localdomain\nsandbox.localdomain"), None);
        assert_eq!(address_in(""), None);
    }
}
