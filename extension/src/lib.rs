//! The Throughline Lambda extension: takes OTLP from functions in any language over loopback, buffers
//! it within a bound, and sends it to a backend after each invocation, so that neither the client nor
//! the function ever waits for telemetry.
//!
//! From the outside inwards:
//!
//! - [`cli`], [`config`], [`variables`], [`endpoint`]: what people set; pure. [`check`]: what it would come to.
//! - [`startup`], [`extension`]: the life of the process.
//! - [`flush`], [`ends`], [`buffer`], [`outbox`], [`accounts`]: what decides and counts; pure, time is passed in.
//! - [`spool`]: what was accepted and not delivered, on disk, so that the process may die.
//! - [`receiver`], [`intake`], [`telemetry`], [`otlp`]: what comes in.
//! - [`bad_end`], [`recorder`], [`told`]: invocations whose process is gone, told from its flight recorder, and once.
//! - [`facts`]: what only the platform knows of invocations, and the spans that it becomes.
//! - [`export`], [`sigv4`]: what goes out.
//! - [`lambda`], [`http`], [`sandbox`], [`neighbours`], [`log`], [`terminated`]: Lambda's APIs and the machine.
//! - [`shared`]: the one lock.
//!
//! **Invariant:** no failure in here reaches the function. Bad configuration, a dead backend or a
//! hostile sender are log lines; only a Lambda API that does not answer ends the process.
//!
//! **Invariant:** each span received is exported, kept, written to stdout, or counted as dropped.
//!
//! The library exists for the binary and its tests; it is no interface for others.

pub mod accounts;
pub mod bad_end;
pub mod body;
pub mod buffer;
pub mod check;
pub mod cli;
pub mod config;
pub mod endpoint;
pub mod ends;
pub mod export;
pub mod extension;
pub mod facts;
pub mod flush;
pub mod http;
pub mod intake;
pub mod lambda;
pub mod log;
pub mod neighbours;
pub mod otlp;
pub mod outbox;
pub mod overflow;
pub mod receiver;
pub mod recorder;
pub mod sandbox;
pub mod shared;
pub mod sigv4;
pub mod spool;
pub mod startup;
pub mod telemetry;
pub mod terminated;
pub mod told;
pub mod variables;
