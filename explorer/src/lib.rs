//! Throughline's command line: the local run, `throughline demo`, and `throughline recorder`, which tells what an
//! invocation left behind.

pub mod cli;
pub mod cloud;
pub mod demo;
mod http_server;
pub mod mappings;
pub mod recorder;
pub mod trace;
