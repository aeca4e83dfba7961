//! Throughline's command line: the local run, `throughline demo`; `throughline recorder`, which tells what an
//! invocation left behind; and `throughline replay`, which sends what was written into a log.

pub mod cli;
pub mod cloud;
pub mod demo;
mod http_server;
pub mod mappings;
pub mod recorder;
pub mod replay;
pub mod trace;
