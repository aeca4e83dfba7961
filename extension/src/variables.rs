//! The variables that the extension reads: for `--help`, for `--check`, and to tell a slip of the pen.

/// A variable of the extension.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds if it is not set.
    pub default: &'static str,
    /// What it means, in a line.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning }
}

/// All that the extension reads of its own. `docs/configuration.md` tells each at length, and why its default is so.
pub const VARIABLES: &[Variable] = &[
    variable(
        "THROUGHLINE_EXPORT_ENDPOINT",
        "stdout",
        "URLs of OTLP/HTTP backends, `aws`, or `stdout`; up to 4, with commas",
    ),
    variable(
        "THROUGHLINE_EXPORT_HEADERS",
        "none",
        "headers for them: key=value,key=value (values percent-encoded); …_1 for the first",
    ),
    variable("THROUGHLINE_EXPORT_PROTOCOL", "http/protobuf", "http/protobuf or http/json; …_1 for the first"),
    variable(
        "THROUGHLINE_STORE_TABLE",
        "none",
        "DynamoDB table of the trace store, by name or ARN: one more destination",
    ),
    variable("THROUGHLINE_STORE_TTL_DAYS", "14", "how many days the trace store keeps what is written"),
    variable(
        "THROUGHLINE_STORE_INDEX",
        "user.id",
        "baggage by which it finds invocations, each a write for each: a,b or none",
    ),
    variable("THROUGHLINE_LISTEN", "127.0.0.1:4318", "where OTLP is taken (beside a collector port 4319)"),
    variable("THROUGHLINE_BUFFER_BYTES", "4194304", "bound of the buffer in bytes"),
    variable("THROUGHLINE_BUDGET_MS", "250", "longest wait for the backend after an invocation"),
    variable("THROUGHLINE_FLUSH", "adaptive", "what may wait: end, deferred, interval=20s, adaptive"),
    variable("THROUGHLINE_PHASES", "cold-starts", "whose phases become spans: cold-starts, all, off"),
    variable("THROUGHLINE_METRICS", "off", "metrics of the function, once a minute: delta, cumulative, off"),
    variable("THROUGHLINE_LOGS", "off", "on: the lines of the function become log records with trace ids"),
    variable("THROUGHLINE_ENABLED", "true", "false: take everything, keep nothing"),
];

/// Those of a single destination.
pub const OF_ONE_DESTINATION: &[&str] = &[
    "THROUGHLINE_EXPORT_HEADERS_1",
    "THROUGHLINE_EXPORT_HEADERS_2",
    "THROUGHLINE_EXPORT_HEADERS_3",
    "THROUGHLINE_EXPORT_HEADERS_4",
    "THROUGHLINE_EXPORT_PROTOCOL_1",
    "THROUGHLINE_EXPORT_PROTOCOL_2",
    "THROUGHLINE_EXPORT_PROTOCOL_3",
    "THROUGHLINE_EXPORT_PROTOCOL_4",
];

/// Those of the function's own crate, which stand in the same environment.
const OF_THE_FUNCTION: &[&str] = &[
    "THROUGHLINE_BAGGAGE_HOSTS",
    "THROUGHLINE_BUILD_ID",
    "THROUGHLINE_CAPTURE",
    "THROUGHLINE_CAPTURE_CALLS",
    "THROUGHLINE_DEBUG",
    "THROUGHLINE_DEBUG_LINES",
    "THROUGHLINE_DEBUG_SAMPLE_RATE",
    "THROUGHLINE_DEBUG_WHEN",
    "THROUGHLINE_DRY_RUN",
    "THROUGHLINE_DRY_RUN_ALLOW",
    "THROUGHLINE_DRY_RUN_REFUSE",
    "THROUGHLINE_DYNAMODB_TABLES",
    "THROUGHLINE_FIREHOSE_STREAMS",
    "THROUGHLINE_LOG_BAGGAGE",
    "THROUGHLINE_MASK",
    "THROUGHLINE_MAX_HOPS",
    "THROUGHLINE_ON_LOOP",
    "THROUGHLINE_RECORDER",
    "THROUGHLINE_RECORD_SENDER",
    "THROUGHLINE_S3_BUCKETS",
    "THROUGHLINE_TRUST_INBOUND",
];

/// Letters that a name may be off to be taken for a known one.
const NEAR: usize = 2;

/// The text of `--help` on them.
pub fn help() -> String {
    let width = VARIABLES.iter().map(|variable| variable.name.len()).max().unwrap_or_default();
    let line = |variable: &Variable| {
        format!("  {:width$}  {} (default: {})", variable.name, variable.meaning, variable.default)
    };
    VARIABLES.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The known variable that an unknown name is meant to be, most likely. Names of others are none of ours.
pub fn meant(name: &str) -> Option<&'static str> {
    let rest = name.strip_prefix("THROUGHLINE_").filter(|rest| rest.len() <= 64)?;
    let known = || {
        let ours = VARIABLES.iter().map(|variable| variable.name);
        ours.chain(OF_ONE_DESTINATION.iter().chain(OF_THE_FUNCTION).copied())
    };
    // Most names are, and to compare them with all others is a quarter of the start.
    if known().any(|known| known == name) {
        return None;
    }
    let rated = known().map(|known| (distance(rest, known.trim_start_matches("THROUGHLINE_")), known));
    let (distance, known) = rated.min()?;
    (distance <= NEAR).then_some(known)
}

/// The edit distance of two words: letters put in, left out or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
