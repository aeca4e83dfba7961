//! Throughline's command line: the questions to the store; the local run, `throughline demo`; `throughline recorder`,
//! which tells what an invocation left behind; and `throughline replay`, which sends what was written into a log.

pub mod ask;
pub mod cli;
pub mod cloud;
mod columns;
pub mod connection;
pub mod demo;
pub mod dev;
mod http_server;
mod intake;
pub mod keep;
pub mod mappings;
mod otlp;
pub mod recorder;
pub mod replay;
mod shell;
mod stdout;
pub mod trace;
mod unzip;
