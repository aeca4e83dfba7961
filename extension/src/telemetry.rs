//! What the platform tells through the Telemetry API.
//!
//! Every batch is answered with 200, whatever is in it: a batch that is refused is delivered again for
//! ever. Events are read one by one, so one of an unknown shape costs the others nothing.

use crate::bad_end::BadEnd;
use crate::ends::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::net::{IpAddr, Ipv4Addr};
use tokio::net::{TcpListener, lookup_host};

/// Largest batch that is read; the subscription asks for at most 256 KiB of events in one.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// The name of the sandbox's own address, to which the platform delivers.
const SANDBOX: &str = "sandbox.localdomain";

/// The runtime has ended its part of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeDone {
    /// The request.
    pub request_id: String,
    /// Whether the runtime lives.
    pub outcome: Outcome,
    /// Why it does not.
    pub bad_end: Option<BadEnd>,
}

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

/// The `platform.runtimeDone` events of a batch.
pub fn runtime_done(batch: &[u8]) -> Vec<RuntimeDone> {
    #[derive(Deserialize)]
    struct Event<'a> {
        r#type: String,
        #[serde(borrow)]
        record: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        request_id: String,
        #[serde(default)]
        status: String,
        #[serde(default)]
        error_type: String,
        #[serde(default)]
        metrics: Metrics,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Metrics {
        duration_ms: Option<f64>,
    }
    let events: Vec<&RawValue> = serde_json::from_slice(batch).unwrap_or_default();
    events
        .into_iter()
        .filter_map(|event| serde_json::from_str::<Event<'_>>(event.get()).ok())
        .filter(|event| event.r#type == "platform.runtimeDone")
        .filter_map(|event| serde_json::from_str::<Record>(event.record.get()).ok())
        .map(|record| {
            let bad_end = BadEnd::told(&record.status, &record.error_type, record.metrics.duration_ms);
            let outcome = if bad_end.is_some() { Outcome::Gone } else { Outcome::Alive };
            RuntimeDone { request_id: record.request_id, outcome, bad_end }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{address_in, runtime_done};
    use crate::ends::Outcome;
    use std::net::Ipv4Addr;

    #[test]
    fn runtime_done_is_found_among_anything_else() {
        let batch = br#"[
            {"time":"2026-01-01T00:00:00Z","type":"platform.start","record":{"requestId":"a"}},
            {"type":"function","record":"a line of text"},
            {"type":"function","record":{"message":"json"}},
            {"type":"platform.runtimeDone","record":{"requestId":"a","status":"success","metrics":{"durationMs":1.5}}},
            {"type":"platform.runtimeDone","record":{"requestId":"b","status":"timeout"}},
            {"type":"platform.runtimeDone","record":{"requestId":"c","status":"failure","errorType":"Runtime.ExitError"}},
            {"type":"platform.runtimeDone","record":{"requestId":"d","status":"error"}},
            {"type":"platform.runtimeDone","record":{"requestId":"e","status":"error","errorType":"Runtime.OutOfMemory"}},
            {"type":"platform.runtimeDone","record":{"requestId":"f","status":"error","errorType":"Runtime.Unknown"}},
            {"type":"platform.runtimeDone","record":"not an object"},
            {"type":"platform.runtimeDone"}, {"type":7}, 3, null
        ]"#;
        let expected = [
            ("a", Outcome::Alive),
            ("b", Outcome::Gone),
            ("c", Outcome::Gone),
            ("d", Outcome::Alive),
            ("e", Outcome::Gone),
            ("f", Outcome::Alive),
        ];
        let found = runtime_done(batch);
        let told: Vec<_> = found.iter().map(|done| (done.request_id.as_str(), done.outcome)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn the_sandbox_s_address_is_a_line_of_a_file() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 sandbox.localdomain\n10.0.0.2 x # sandbox.localdomain\n\
                     ::1 sandbox.localdomain\n\n169.254.1.2\t Sandbox.localdomain sandbox\n10.0.0.3 sandbox.localdomain";
        assert_eq!(address_in(hosts), Some(Ipv4Addr::new(169, 254, 1, 2).into()));
        assert_eq!(address_in("127.0.0.1 localhost my.sandbox.localdomain\nsandbox.localdomain"), None);
        assert_eq!(address_in(""), None);
    }

    #[test]
    fn what_is_no_batch_holds_nothing() {
        for batch in [&b""[..], b"{}", b"[", b"\xff"] {
            assert!(runtime_done(batch).is_empty());
        }
    }
}
