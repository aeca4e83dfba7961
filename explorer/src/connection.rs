//! Where the explorer reads from: a table in AWS, or a file on this machine, which the embedded DynamoDB serves in this
//! process.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::dev;
use crate::shell::quoted;
use anyhow::{Context, bail};
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use clap::Args;
use dynoxide::Database;
use throughline_store::Store;

/// Names the store's table in AWS.
pub const TABLE: &str = "THROUGHLINE_STORE_TABLE";
/// The table in a file.
pub(crate) const IN_FILE: &str = "traces";
/// The first bytes of an SQLite database (<https://www.sqlite.org/fileformat.html>).
const SQLITE: &[u8] = b"SQLite format 3\0";
/// A table that the embedded DynamoDB makes first of all, so that its name stands near the beginning of the file. A database
/// of something else would be changed by being opened.
const OURS: &[u8] = b"_stream_records";
/// How much of a file is looked at.
const LOOKED_AT: u64 = 1024 * 1024;

/// Which store is meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Store")]
#[group(skip)]
pub struct Options {
    /// The store's table in AWS [default: THROUGHLINE_STORE_TABLE]
    #[arg(long, value_name = "TABLE", conflicts_with = "file")]
    table: Option<String>,

    /// A store in a file on this machine instead
    #[arg(long = "store", value_name = "FILE", id = "file")]
    file: Option<PathBuf>,
}

/// A place where a store may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A table in AWS; its region, credentials and endpoint are those of the SDK's variables.
    Table(String),
    /// A file on this machine.
    File(PathBuf),
}

/// A store that can be asked.
#[derive(Debug)]
pub struct Connection {
    /// The store.
    pub store: Store,
    /// Its table's name.
    pub table: String,
    place: Place,
    told: String,
    is_named: bool,
}

/// Whether a file that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is.
    Make,
    /// It is an error.
    Refuse,
}

// === impl Options ===

impl Options {
    /// What the command line names, else the variable; `None` where neither does.
    #[must_use]
    pub fn place(&self, variable: impl Fn(&str) -> Option<String>) -> Option<Place> {
        if let Some(file) = &self.file {
            return Some(Place::File(file.clone()));
        }
        let table = self.table.clone().or_else(|| variable(TABLE));
        table.map(|table| table.trim().to_owned()).filter(|table| !table.is_empty()).map(Place::Table)
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// When no store is named, or a file is none. That AWS can be reached is not tried.
    pub async fn connect(&self, missing: Missing) -> anyhow::Result<Connection> {
        let named = self.place(|name| std::env::var(name).ok());
        let Some(place) = named.or_else(|| dev::running().map(Place::File)) else {
            bail!(
                "no store to read from: set {TABLE} (and AWS_REGION, and credentials) or give --table TABLE for a \
                 table in AWS, or --store FILE for one in a file, or let `throughline dev` run without --store"
            );
        };
        let is_named = self.table.is_some() || self.file.is_some();
        match place {
            Place::Table(table) => {
                let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
                let Some(region) = config.region() else {
                    bail!(
                        "table {table:?} is in no region: set AWS_REGION, or the region of a profile and AWS_PROFILE"
                    );
                };
                let told = match config.endpoint_url() {
                    Some(endpoint) => format!("table {table} at {endpoint}"),
                    None => format!("table {table} in {region}"),
                };
                let store = Store::new(Client::new(&config), &table);
                Ok(Connection { store, table: table.clone(), place: Place::Table(table), told, is_named })
            }
            Place::File(path) => {
                let database = open(&path, missing)?;
                let own = Connection::own(database, Some(&path));
                Ok(Connection { is_named, ..own })
            }
        }
    }
}

// === impl Connection ===

impl Connection {
    /// A store in this process, whose database is kept in `file`, or nowhere.
    pub(crate) fn own(database: Database, file: Option<&Path>) -> Self {
        let (place, told) = match file {
            Some(file) => (Place::File(file.to_owned()), format!("file {}", file.display())),
            None => (Place::Table(IN_FILE.to_owned()), "memory".to_owned()),
        };
        let store = Store::embedded(database, IN_FILE);
        Self { store, table: IN_FILE.to_owned(), place, told, is_named: file.is_some() }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn told(&self) -> &str {
        &self.told
    }

    /// Whether it is a file of our own, whose table is made when it is first needed.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// A command line that asks the same store: what was said in this one is said in it too.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> String {
        // Which no command line can hold.
        let arguments =
            if arguments.iter().any(|word| word.contains('\0')) { &["traces"] } else { arguments };
        let mut words = vec!["throughline".to_owned()];
        words.extend(arguments.iter().map(|word| quoted(word)));
        if self.is_named {
            match &self.place {
                Place::Table(table) => words.extend(["--table".to_owned(), quoted(table)]),
                Place::File(path) => words.extend(["--store".to_owned(), quoted(&path.to_string_lossy())]),
            }
        }
        words.join(" ")
    }

    /// The same of a line of plain words.
    pub(crate) fn command_line(&self, words: &str) -> String {
        self.command(&words.split(' ').collect::<Vec<_>>())
    }

    /// An error of this store, with what helps.
    #[must_use]
    pub fn explained(&self, error: &throughline_store::Error) -> anyhow::Error {
        let said = error.to_string();
        if said.starts_with("ResourceNotFoundException") {
            return anyhow::anyhow!(
                "there is no store yet in {}: {} makes it",
                self.told,
                self.command(&["store", "create"])
            );
        }
        anyhow::anyhow!("{}: {}", self.told, mended(&brief(&said)))
    }
}

/// What the SDK says of an error, without the dump of its insides that follows.
fn brief(said: &str) -> String {
    let end = said.find("Failure(").or_else(|| said.find("Error(")).and_then(|at| said[..at].rfind(" ("));
    crate::ask::harmless(&said[..end.unwrap_or(said.len())])
}

/// What SQLite says of a file that is not whole (<https://www.sqlite.org/rescode.html#corrupt>), and what helps.
fn mended(said: &str) -> String {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let help = if says(&["malformed", "not a database"]) {
        "the file is torn: take a copy that is whole, or remove it and `throughline import` its spans anew"
    } else if says(&["readonly database", "unable to open database"]) {
        "nothing can be written here, which SQLite needs even to read: copy the file to a folder of yours"
    } else if says(&["database is locked"]) {
        "another process is in the middle of writing: ask again when it is done, or a copy of the file"
    } else {
        return said.to_owned();
    };
    format!("{help} ({said})")
}

/// What a file holds.
pub(crate) fn open(path: &Path, missing: Missing) -> anyhow::Result<Database> {
    check(path, missing)?;
    let text = path.to_str().with_context(|| format!("{}: its name is no UTF-8", path.display()))?;
    Database::new(text).map_err(|error| anyhow::anyhow!("{text}: {}", mended(&error.to_string())))
}

/// Whether this may be a store, or become one: then it is a file, if an empty one.
///
/// # Errors
///
/// When it may not, or can't be made.
pub(crate) fn check(path: &Path, missing: Missing) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let told = path.display();
    let first = match beginning(path) {
        Ok(first) => first,
        Err(error) if error.kind() == ErrorKind::NotFound && missing == Missing::Make => {
            // Spans say who did what: nobody else's business.
            let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            return file.map(drop).with_context(|| told.to_string());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{told}: there is no such store; `throughline store create --store {told}` makes it")
        }
        Err(error) => return Err(error).with_context(|| told.to_string()),
    };
    let holds = |bytes: &[u8]| bytes.windows(OURS.len()).any(|window| window == OURS);
    // What was written last may stand in the log beside it alone.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let is_ours = || holds(&first) || beginning(Path::new(&log)).is_ok_and(|log| holds(&log));
    if first.is_empty() || first.starts_with(SQLITE) && is_ours() {
        Ok(())
    } else {
        bail!("{told}: is no store")
    }
}

fn beginning(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LOOKED_AT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_variable() {
        let set = |_: &str| Some("from-variable".to_owned());
        let table = |table: &str| Some(Place::Table(table.to_owned()));
        let options = |table: Option<&str>, file: Option<&str>| Options {
            table: table.map(str::to_owned),
            file: file.map(PathBuf::from),
        };
        assert_eq!(options(None, None).place(set), table("from-variable"));
        assert_eq!(options(Some("mine"), None).place(set), table("mine"));
        assert_eq!(options(None, Some("a.db")).place(set), Some(Place::File("a.db".into())));
        assert_eq!(options(None, None).place(|_| None), None);
        assert_eq!(options(None, None).place(|_| Some(" ".to_owned())), None, "set to nothing");
    }

    #[test]
    fn errors_are_told_without_the_insides_of_the_sdk() {
        let said = "dispatch failure: io error: Connection refused (os error 111) (DispatchFailure(DispatchFailure { x: 1 }))";
        assert_eq!(brief(said), "dispatch failure: io error: Connection refused (os error 111)");
        assert_eq!(brief("AccessDeniedException: no\u{1b}"), "AccessDeniedException: no\u{fffd}");
    }

    #[test]
    fn what_may_not_be_written_or_is_busy_says_what_helps() {
        assert!(mended("attempt to write a readonly database").starts_with("nothing can be written here"));
        assert!(mended("database is locked").contains("ask again"));
        assert_eq!(mended("no such column"), "no such column");
    }

    #[test]
    fn what_is_torn_says_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open(&path, Missing::Make).unwrap());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let error = open(&path, Missing::Refuse).map(drop).unwrap_err().to_string();
        assert!(error.contains("import") && error.contains("torn"), "{error}");
    }
}
