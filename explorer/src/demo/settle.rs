//! When all that the orders brought about is done.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::ledger::Ledger;
use super::progress::Progress;
use super::shop::Shop;

/// How often it is looked whether the shop is quiet.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks in a row must find it so: in between, streams are polled several times.
const LOOKS: u32 = 4;

/// Waits until nothing is under way any more, as long as is allowed.
///
/// # Errors
///
/// When the local queues cannot be read, or a part of the shop has ended.
pub(super) async fn settle(
    shop: &mut Shop,
    ledger: &Ledger,
    timeout: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + timeout;
    let mut quiet = Quiet::default();
    while Instant::now() < deadline {
        let idle = shop.idle().await.context("the local queues cannot be read")?;
        progress.delivered(ledger.read(<[_]>::len));
        shop.check()?;
        if quiet.look(idle) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Counts looks and not time: a machine that stands still between two of them has done nothing in that time.
#[derive(Debug, Default)]
struct Quiet {
    last: Option<u64>,
    looks: u32,
}

impl Quiet {
    /// One more look: whether enough of them in a row found it idle, and nothing begun in between.
    fn look(&mut self, idle: Option<u64>) -> bool {
        self.looks = if idle.is_some() && idle == self.last { self.looks + 1 } else { 0 };
        self.last = idle;
        self.looks >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_quiet_when_nothing_was_begun_for_some_looks() {
        let settled_at = |looks: &[Option<u64>]| {
            let mut quiet = Quiet::default();
            looks.iter().position(|idle| quiet.look(*idle))
        };
        assert_eq!(settled_at(&[Some(0); 9]), Some(4));
        assert_eq!(settled_at(&[None; 9]), None, "busy all the time, however long a look takes");
        let busy_once =
            [Some(3), Some(3), Some(3), Some(3), None, Some(4), Some(4), Some(4), Some(4), Some(4)];
        assert_eq!(settled_at(&busy_once), Some(9));
        let begun_and_done_in_between = [1, 1, 1, 1, 2, 2, 2, 2].map(Some);
        assert_eq!(settled_at(&begun_and_done_in_between), None);
    }
}
