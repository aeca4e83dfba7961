//! The programs that a run starts, built from the checkout.

use std::path::{Path, PathBuf};

use anyhow::Context;
use throughline_host::{Build, Executables, build as cargo_build};

use super::progress::Progress;

/// Builds the functions and the extension.
pub(super) async fn build(progress: &Progress) -> anyhow::Result<Executables> {
    let workspace = workspace()?;
    progress.phase("building the functions and the extension");
    let mut compiled = 0;
    let what = Build { workspace: &workspace, packages: &["throughline-shop", "throughline-extension"] };
    cargo_build(what, |step| {
        compiled += usize::from(step.compiled);
        if compiled > 0 {
            progress.step(|| {
                format!("building the functions and the extension (the first time takes minutes): {compiled} crates, {}", step.name)
            });
        }
    })
    .await
}

/// The checkout: around the current directory, or where this program was built.
fn workspace() -> anyhow::Result<PathBuf> {
    let is_checkout = |folder: &Path| folder.join("examples/shop/Cargo.toml").is_file();
    let here = std::env::current_dir().unwrap_or_default();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    here.ancestors()
        .chain(built_in)
        .find(|folder| is_checkout(folder))
        .map(Path::to_owned)
        .context("the demo builds the application in examples/shop: run it in a checkout of Throughline")
}
