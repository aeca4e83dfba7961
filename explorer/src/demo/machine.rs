//! How the demo's sandboxes are set up.

use std::path::Path;

use throughline_host::{Executables, Output, SandboxConfig, Source};

use super::fault::Fault;

/// What all sandboxes of a run have in common.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) freeze: bool,
    pub(super) logs: bool,
    /// The function that has to fail.
    pub(super) fail: Option<String>,
    /// The user whose orders are debugged.
    pub(super) debug: Option<String>,
    /// What is wrong.
    pub(super) fault: Fault,
    /// The build of all functions, if it is told; and of the one with the bug, where that comes with a deploy.
    pub(super) builds: Option<[&'static str; 2]>,
    pub(super) binaries: Executables,
}

impl Machine {
    /// A function with its extension; `is_new`: after the deploy.
    pub(super) fn sandbox(
        &self,
        function: &str,
        env: &[(String, String)],
        is_new: bool,
    ) -> anyhow::Result<SandboxConfig> {
        let binary = |name: &str| -> anyhow::Result<&Path> {
            let path = self.binaries.get(name).map(AsRef::as_ref);
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
        if let Some(builds) = self.builds {
            config = config.env("THROUGHLINE_BUILD_ID", builds[usize::from(is_new)]);
        }
        let Fault { bug, timeout, memory, deployed, .. } = self.fault;
        if let Some((_, bug)) = bug.filter(|(of, _)| *of == function && (is_new || !deployed)) {
            config = config.env("SHOP_BUG", bug);
        }
        if let Some((_, timeout)) = timeout.filter(|(of, _)| *of == function) {
            config = config.timeout(timeout);
        }
        if let Some((_, memory)) = memory.filter(|(of, _)| *of == function) {
            config = config.memory_limit(memory);
        }
        Ok(config)
    }

    /// How many sandboxes a function may have at once.
    pub(super) fn at_once(&self, function: &str) -> usize {
        self.fault.at_once.filter(|(of, _)| *of == function).map_or(1, |(_, most)| most)
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
