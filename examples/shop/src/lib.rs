//! The shop: six small Lambda functions that pass an order along, and what they share.
//!
//! ```text
//! POST /orders ─▶ checkout-api ─▶ SNS orders ─▶ SQS payments ─▶ payment-worker ─▶ SQS email ─▶ email-sender
//!                                                                     │                            ▲
//!                                  audit-trail ◀─ Kinesis audit ◀─ fulfilment ◀─ table orders      │
//!                                                                                  schedule ─▶ lunchbot
//! ```
//!
//! It has bugs too, for whoever learns to find them: `SHOP_BUG` switches one on, see [`has_bug`].
//!
//! Each function is one file in `src/bin`. The two lines that matter in each: `throughline::run` in place of
//! `lambda_runtime::run`, and an AWS client from [`clients`].

pub mod clients;
mod messages;
mod order;
mod provider;
mod resolver;
mod settings;

pub use messages::{AuditEntry, Charge, Email, MessageError, Scoring, order_of, receives};
pub use order::{Account, InvalidOrder, Item, NewOrder, Order};
pub use provider::{Provider, ProviderError};
pub use settings::{AskedToFail, MissingSetting, fail_if_asked, has_bug, setting};
