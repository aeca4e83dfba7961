//! How the demo's sandboxes are set up.

use std::path::Path;

use throughline_host::{Executables, Output, SandboxConfig, Source};

/// What all sandboxes of a run have in common.
#[derive(Debug)]
pub(super) struct Machine {
    pub freeze: bool,
    pub logs: bool,
    /// The function that has to fail.
    pub fail: Option<String>,
    /// The user whose orders are debugged.
    pub debug: Option<String>,
}

impl Machine {
    /// A function with its extension.
    pub(super) fn sandbox(
        &self,
        function: &str,
        binaries: &Executables,
        env: &[(String, String)],
    ) -> anyhow::Result<SandboxConfig> {
        let binary = |name: &str| -> anyhow::Result<&Path> {
            let path = binaries.get(name).map(AsRef::as_ref);
            path.ok_or_else(|| anyhow::anyhow!("cargo built no program called {name}"))
        };
        let mut config = SandboxConfig::new(function, binary(function)?)
            .extension(binary("throughline-extension")?)
            .freeze(self.freeze)
            .output(self.output(function));
        config.env.extend(env.iter().cloned());
        if let Some(fail) = &self.fail {
            config = config.env("SHOP_FAIL", fail);
        }
        // Only where the user becomes known: from there the mark travels.
        if let Some(user) = self.debug.as_ref().filter(|_| function == "checkout-api") {
            config = config.env("THROUGHLINE_DEBUG_WHEN", format!("user.id={user}"));
        }
        Ok(config)
    }

    fn output(&self, function: &str) -> Output {
        if !self.logs {
            return Output::default();
        }
        let function = function.to_owned();
        Output::with_listener(move |source, line| {
            let source = if source == Source::Extension { " (extension)" } else { "" };
            eprintln!("{function}{source}: {line}");
        })
    }
}
