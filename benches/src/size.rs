//! Binary sizes, as they are and as they are uploaded.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::Programs;

/// Bytes of a binary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes {
    pub(crate) plain: u64,
    /// Deflated, as in the zip archive that Lambda takes.
    pub(crate) zipped: u64,
}

/// Looks at the files.
pub(crate) fn measure(programs: &Programs) -> anyhow::Result<Vec<(&'static str, Bytes)>> {
    programs.named().into_iter().map(|(name, program)| Ok((name, of(program)?))).collect()
}

/// Those of one file.
pub(crate) fn of(program: &Path) -> anyhow::Result<Bytes> {
    let content = std::fs::read(program).with_context(|| format!("no {}", program.display()))?;
    let mut zip = DeflateEncoder::new(Vec::new(), Compression::best());
    zip.write_all(&content)?;
    Ok(Bytes { plain: content.len() as u64, zipped: zip.finish()?.len() as u64 })
}
