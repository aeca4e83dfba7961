//! What the end-to-end tests are made of: the handlers that they run as real functions (and all the ways in which these end), an OTLP backend that fails by
//! script, a queue that remembers what it was sent, and a ledger that finds every span lost or delivered twice.

pub mod backend;
pub mod endings;
pub mod faults;
pub mod handlers;
pub mod spans;
pub mod sqs;
