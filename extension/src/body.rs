//! Reading the bodies of requests: bounded each and all together, and in time.
//!
//! Time is that in which the sandbox is awake. A freeze can lie in the middle of a request, and clocks may go on in it: at the
//! thaw a limit would be over before the sender, frozen too, could send the rest.

use crate::intake::{Refusal, too_large};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

/// Bytes of bodies that a listener holds at the same time; further ones wait in the kernel. Counted as
/// they arrive: a sender that stalls holds what it sent, not what it announced.
const ROOM: usize = 16 * 1024 * 1024;
/// The longest wait for more of a body, or for room for it.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest time for a whole body.
const WHOLE: Duration = Duration::from_secs(10);
/// Limits are waited for in steps of this length: so much of one a freeze can take.
const STEP: Duration = Duration::from_millis(250);
/// Of a body that is too large this much more is read and thrown away, so that the sender, which reads
/// only once it has written, sees the 413 instead of a broken connection.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;

/// The bodies that one listener reads.
#[derive(Debug)]
pub struct Bodies(Semaphore);

/// A body in memory; its room is taken until this is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    /// The body.
    pub bytes: Bytes,
    _room: Option<SemaphorePermit<'a>>,
}

// === impl Bodies ===

impl Bodies {
    /// With all room free.
    pub fn new() -> Self {
        Self(Semaphore::new(ROOM))
    }

    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// 413 if it is larger, 408 if it comes too slowly, 400 if it breaks off, 503 if there is no room.
    pub async fn read<B: Body<Data = Bytes>>(&self, body: B, limit: usize) -> Result<Held<'_>, Refusal> {
        within(WHOLE, self.collect(body, limit)).await.unwrap_or_else(|| Err(slow()))
    }

    async fn collect<B: Body<Data = Bytes>>(&self, body: B, limit: usize) -> Result<Held<'_>, Refusal> {
        let mut body = pin!(body);
        // What is announced is reserved, but not yet taken: memory that nobody has written to costs nothing.
        let announced = usize::try_from(body.size_hint().lower()).map_or(limit, |size| size.min(limit));
        let (mut kept, mut read, mut room) = (Vec::with_capacity(announced), 0_usize, None);
        while let Some(frame) = within(PAUSE, body.frame()).await.ok_or_else(slow)? {
            let frame = frame.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body broke off".into()))?;
            let Ok(data) = frame.into_data() else { continue };
            read += data.len();
            if read <= limit {
                self.take(data.len(), &mut room).await?;
                kept.extend_from_slice(&data);
            } else {
                (kept, room) = (Vec::new(), None);
                if read > MAX_DISCARDED {
                    break;
                }
            }
        }
        if read > limit {
            return Err(too_large());
        }
        // It may be kept: what the vector has in reserve would be kept with it.
        kept.shrink_to_fit();
        Ok(Held { bytes: kept.into(), _room: room })
    }

    /// Adds room for `more` bytes.
    async fn take<'a>(&'a self, more: usize, room: &mut Option<SemaphorePermit<'a>>) -> Result<(), Refusal> {
        let full = || Refusal(StatusCode::SERVICE_UNAVAILABLE, "too much at once; send it again".into());
        let permits = u32::try_from(more).map_err(|_| too_large())?;
        let more = within(PAUSE, self.0.acquire_many(permits)).await.ok_or_else(full)?;
        let more = more.map_err(|_| full())?;
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new()
    }
}

/// What comes of it, unless it takes longer than `limit`, awake.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..limit.as_millis() / STEP.as_millis() {
        tokio::select! {
            biased;
            output = &mut future => return Some(output),
            () = sleep(STEP) => {}
        }
    }
    None
}

fn slow() -> Refusal {
    Refusal(StatusCode::REQUEST_TIMEOUT, "the body does not come".into())
}

#[cfg(test)]
mod tests {
    use super::{Bodies, ROOM};
    use bytes::Bytes;
    use futures_util::stream::{pending, repeat_with, unfold};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::time::{advance, sleep};

    #[tokio::test(start_paused = true)]
    async fn bodies_are_read_up_to_the_limit() {
        let bodies = Bodies::new();
        let whole = bodies.read(Full::new(Bytes::from_static(b"12345")), 5).await.expect("whole");
        assert_eq!(whole.bytes, "12345");
        let status = bodies.read(Full::new(Bytes::from_static(b"123456")), 5).await.map_err(|why| why.0);
        assert_eq!(status.expect_err("too large"), 413);
        let endless = repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; 1 << 20]))));
        let status = bodies.read(StreamBody::new(endless), 5).await.map_err(|why| why.0);
        assert_eq!(status.expect_err("cut off"), 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_in_the_middle_of_a_body_costs_nothing() {
        let (sender, receiver) = mpsc::unbounded_channel::<Frame<Bytes>>();
        let body = StreamBody::new(unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|frame| (Ok::<_, Infallible>(frame), receiver))
        }));
        let bodies = Bodies::new();
        let send = async {
            sender.send(Frame::data(Bytes::from_static(b"12"))).expect("it listens");
            // Awake for a while, then frozen, while the clock goes on; the sender goes on after the extension.
            sleep(Duration::from_secs(1)).await;
            advance(Duration::from_secs(600)).await;
            sleep(Duration::from_millis(100)).await;
            sender.send(Frame::data(Bytes::from_static(b"34"))).expect("it listens");
            drop(sender);
        };
        let (whole, ()) = tokio::join!(bodies.read(body, 5), send);
        assert_eq!(whole.expect("whole").bytes, "1234");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_bounded_and_who_stalls_is_not_waited_for() {
        let bodies = Bodies::new();
        let half = || Full::new(Bytes::from(vec![0; ROOM / 2]));
        let (first, second) = (bodies.read(half(), ROOM).await, bodies.read(half(), ROOM).await);
        assert!(first.is_ok() && second.is_ok());
        let status = bodies.read(half(), ROOM).await.map_err(|why| why.0);
        assert_eq!(status.expect_err("no room"), 503);
        drop(first);
        assert!(bodies.read(half(), ROOM).await.is_ok(), "room again, the refused one's too");
        let silent = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
        let status = bodies.read(silent, ROOM).await.map_err(|why| why.0);
        assert_eq!(status.expect_err("stalls"), 408);
    }
}
