//! Round trips: a real SDK client sends inside an invocation, an emulator of the service delivers, Lambda's event is made
//! of what it delivered, and another wrapped function goes on with the transaction.
//!
//! The same tests run against two independent emulators: the embedded ones (rustack, dynoxide) by `cargo test`, and
//! moto where the variable `ROUND_TRIPS_MOTO` names its endpoint (`tests/round_trips/run`). Where an emulator
//! differs from AWS the test says so, and what AWS does.

mod bucket;
mod bus;
mod check;
mod dynamodb;
mod emulator;
mod eventbridge;
mod firehose;
mod function;
mod kinesis;
mod lambda;
mod proxy;
mod queue;
mod s3;
mod server;
mod sns;
mod sqs;
mod step_functions;
mod table;
mod topic;
mod updates;
