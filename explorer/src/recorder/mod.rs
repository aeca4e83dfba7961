//! `throughline recorder`: what the flight recorders of functions say, for people or as OTLP.

mod story;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use throughline_recorder::{Ending, Opened, Unreadable, names, open};

use crate::trace::Style;
use story::Story;

/// What `throughline recorder` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// A recorder, or a folder of them; without one all below /tmp/.throughline-UID/
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// For each invocation one line of OTLP JSON, an ExportTraceServiceRequest
    #[arg(long)]
    json: bool,
}

/// Tells them on stdout, and on stderr what could not be read. Whether something was told and all could be read.
pub fn run(options: &Options) -> bool {
    let mut teller = Teller { json: options.json, style: Style::of_terminal(), told: 0, unread: 0 };
    if options.files.is_empty() {
        teller.folder(Path::new(&format!("/tmp/.throughline-{}", rustix::process::getuid().as_raw())));
    }
    for file in &options.files {
        if file.is_dir() { teller.folder(file) } else { teller.file(file, Found::Named) }
    }
    teller.told > 0 && teller.unread == 0
}

/// How a file came to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Named,
    InFolder,
}

struct Teller {
    json: bool,
    style: Style,
    told: usize,
    unread: usize,
}

// === impl Teller ===

impl Teller {
    fn file(&mut self, path: &Path, found: Found) {
        match open(path) {
            Ok(opened) => {
                self.told += 1;
                let text = if self.json { json(opened) } else { Story::new(path, opened).text(self.style) };
                // A closed stdout, as that of `| head`, is nobody to tell.
                let _ = std::io::stdout().write_all(text.as_bytes());
            }
            // Most are of functions that wait for their next event.
            Err(Unreadable::Cleared) if found == Found::InFolder => {}
            Err(why) => self.missed(path, &why),
        }
    }

    fn folder(&mut self, folder: &Path) {
        let before = self.told + self.unread;
        below(folder).iter().for_each(|path| self.file(path, Found::InFolder));
        if self.told + self.unread == before {
            self.missed(folder, &"no invocation is under way or was left behind here");
        }
    }

    fn missed(&mut self, path: &Path, why: &dyn std::fmt::Display) {
        self.unread += 1;
        eprintln!("throughline: {}: {why}", path.display());
    }
}

/// The recorders in a folder and in the folders in it, in their order.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = recorders_in(folder);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // A link to a folder is not followed: it is someone else's idea where to look.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    folders.sort_unstable();
    found.extend(folders.iter().flat_map(|folder| recorders_in(folder)));
    found
}

fn recorders_in(folder: &Path) -> Vec<PathBuf> {
    let names = File::open(folder).and_then(names).unwrap_or_default();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// One line of OTLP JSON.
fn json(opened: Opened) -> String {
    let request = opened.recording.clone().into_request(&so_far(&opened));
    // It has nothing that JSON cannot say.
    serde_json::to_string(&request).map(|line| line + "\n").unwrap_or_default()
}

/// Nobody here knows how it ended: what is known ends with its last word.
fn so_far(opened: &Opened) -> Ending {
    Ending { time_unix_nano: opened.recording.last_moment(opened.modified), failure: None }
}
