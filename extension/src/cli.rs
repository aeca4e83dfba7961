//! What the command line and the environment say. Lambda starts an extension without arguments; these
//! are for people who try it by hand.

use std::collections::HashMap;
use std::path::Path;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Run as an extension.
    Run {
        /// `AWS_LAMBDA_RUNTIME_API`.
        api: String,
        /// The executable's file name, by which Lambda knows the extension.
        name: String,
    },
    /// Print this and leave.
    Print(String),
    /// Complain with this line and leave.
    Misused(String),
}

const NAME: &str = "throughline-extension";
const HELP: &str = "\
throughline-extension: takes OTLP from a Lambda function over loopback and sends it to a backend.

It is a Lambda extension: it belongs into a layer, under extensions/, and is started by Lambda.

  --help       this text
  --version    the version

Configuration is by environment variables:

  THROUGHLINE_EXPORT_ENDPOINT   URLs of OTLP/HTTP backends, `aws`, or `stdout` (default); up to 4, with commas
  THROUGHLINE_EXPORT_HEADERS    headers for them: key=value,key=value (values percent-encoded); …_1 for the first
  THROUGHLINE_EXPORT_PROTOCOL   http/protobuf (default) or http/json; …_1 for the first
  THROUGHLINE_LISTEN            where OTLP is taken (default 127.0.0.1:4318; beside a collector 4319)
  THROUGHLINE_BUFFER_BYTES      bound of the buffer in bytes (default 4194304)
  THROUGHLINE_BUDGET_MS         longest wait for the backend after an invocation (default 250)
  THROUGHLINE_ENABLED           false: take everything, keep nothing";

/// Reads the arguments (the first is the program) and the environment.
pub fn parse(args: &[String], env: &HashMap<String, String>) -> Command {
    match args.get(1..).unwrap_or_default() {
        [] => {}
        [one] if one == "--help" || one == "-h" => return Command::Print(HELP.to_owned()),
        [one] if one == "--version" || one == "-V" => {
            return Command::Print(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
        }
        _ => return Command::Misused(format!("{NAME}: unknown arguments; try --help")),
    }
    let name = args.first().and_then(|program| Path::new(program).file_name()).and_then(|name| name.to_str());
    match env.get("AWS_LAMBDA_RUNTIME_API").map(|api| api.trim()).filter(|api| !api.is_empty()) {
        Some(api) => Command::Run { api: api.to_owned(), name: name.unwrap_or(NAME).to_owned() },
        None => Command::Misused(format!(
            "{NAME}: AWS_LAMBDA_RUNTIME_API is not set; this program is started by Lambda (--help tells more)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, parse};
    use std::collections::HashMap;

    fn read(args: &[&str], api: &str) -> Command {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        parse(&args, &HashMap::from([("AWS_LAMBDA_RUNTIME_API".to_owned(), api.to_owned())]))
    }

    #[test]
    fn the_name_is_the_file_s() {
        let expected = Command::Run { api: "127.0.0.1:9001".into(), name: "renamed".into() };
        assert_eq!(read(&["/opt/extensions/renamed"], "127.0.0.1:9001"), expected);
    }

    #[test]
    fn people_are_told_what_this_is() {
        assert!(
            matches!(read(&["x", "--help"], ""), Command::Print(text) if text.contains("THROUGHLINE_LISTEN"))
        );
        assert!(matches!(read(&["x", "--version"], ""), Command::Print(text) if text.contains("0.")));
        assert!(
            matches!(read(&["x"], ""), Command::Misused(text) if text.contains("AWS_LAMBDA_RUNTIME_API"))
        );
        assert!(matches!(read(&["x", "--what"], "a:1"), Command::Misused(_)));
    }
}
