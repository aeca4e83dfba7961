//! Who else is started beside this extension. Lambda starts every executable of `/opt/extensions` at once and in no
//! order (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).

use std::path::Path;

/// The executable of the OpenTelemetry Collector's layer, and of AWS's Distro for OpenTelemetry, which is built of it
/// (<https://github.com/open-telemetry/opentelemetry-lambda/blob/main/collector/Makefile>).
const COLLECTOR: &str = "collector";

/// Whether an OpenTelemetry Collector is in the folder of `executable`, this extension's own file. Its configuration
/// takes OTLP's usual ports (<https://github.com/aws-observability/aws-otel-lambda/blob/main/adot/collector/config.yaml>).
pub fn has_collector(executable: &Path) -> bool {
    executable.with_file_name(COLLECTOR).is_file()
}

#[cfg(test)]
mod tests {
    use super::has_collector;

    #[test]
    fn a_collector_is_known_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = folder.path().join("throughline-extension");
        assert!(!has_collector(&ours));
        std::fs::create_dir(folder.path().join("collector")).expect("made");
        assert!(!has_collector(&ours), "a folder is none");
        std::fs::remove_dir(folder.path().join("collector")).expect("removed");
        std::fs::write(folder.path().join("collector"), "").expect("written");
        assert!(has_collector(&ours));
    }
}
