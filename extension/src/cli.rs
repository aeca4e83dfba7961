//! What the command line and the environment say. Lambda starts an extension without arguments; these
//! are for people who try it by hand.

use crate::check::How;
use crate::variables;
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
    /// Tell what would be done in this environment, and leave.
    Check(How),
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
  --check      what it would do in this environment, and whether its backends answer
               (with --offline: connect to nothing; with --json: for programs);
               exit status 0: fine, 1: warnings, 2: telemetry would be lost

Configuration is by environment variables:
";

/// Reads the arguments (the first is the program) and the environment.
pub fn parse(args: &[String], env: &HashMap<String, String>) -> Command {
    match args.get(1..).unwrap_or_default() {
        [] => {}
        [one] if one == "--help" || one == "-h" => {
            return Command::Print(format!("{HELP}\n{}", variables::help()));
        }
        [one] if one == "--version" || one == "-V" => {
            return Command::Print(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
        }
        [one, more @ ..]
            if one == "--check" && more.iter().all(|flag| flag == "--offline" || flag == "--json") =>
        {
            let has = |name: &str| more.iter().any(|flag| flag == name);
            return Command::Check(How { offline: has("--offline"), json: has("--json") });
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
    use super::{Command, How, parse};
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
        let how = How { offline: true, json: false };
        assert_eq!(read(&["x", "--check", "--offline"], ""), Command::Check(how));
        assert!(matches!(read(&["x", "--check", "--what"], ""), Command::Misused(_)));
    }
}
