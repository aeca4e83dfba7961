//! Real functions with the real extension, frozen between invocations as Lambda freezes them, against
//! a backend that fails by script: no span is lost, none arrives twice, and what clients get is what
//! `lambda_runtime` alone would give them.

mod alone;
mod bad_input;
mod beside_others;
mod crossing;
mod debug_lines;
mod endings;
mod facts;
mod outages;
mod replay;
mod secrets;
mod shutdown;
mod steady;
mod store;
mod support;
