//! `throughline store`: makes the table, tells of it, and counts anew.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata};
use clap::{Args, Subcommand};
use serde_json::json;

use super::rebuild;
use crate::connection::{self, Missing};

/// What is done.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Make the table, or the file with it, unless it is there
    Create(Of),
    /// Tell where the store is, and how large
    Info(Of),
    /// Count anew what functions did and who calls whom, from the spans
    ///
    /// `functions`, `map` and shares of traffic tell what each sandbox has counted. Where that is wrong, because spans were
    /// read in twice under two names, or sandboxes died before they wrote, this replaces it. Of hours that have been over
    /// for an hour; the most memory is taken over, billed time is that of the spans then.
    ///
    /// It reads the whole table, which costs a read unit for each 8 KB in it, and may be done again. The role needs
    /// dynamodb:Scan, Query, BatchWriteItem and DeleteItem.
    Rebuild(rebuild::Options),
}

/// Of which store.
#[derive(Debug, Clone, Args)]
pub struct Of {
    #[command(flatten)]
    pub(super) connection: connection::Options,

    /// Answer with one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(super) json: bool,
}

/// Does it and tells on stdout; whether the store is there, and something in it to be counted.
///
/// # Errors
///
/// When no store is named, or it can't be made or asked.
pub async fn run(action: &Action) -> anyhow::Result<bool> {
    let (of, missing) = match action {
        Action::Create(of) => (of, Missing::Make),
        Action::Info(of) => (of, Missing::Refuse),
        Action::Rebuild(options) => return rebuild::run(options).await,
    };
    let connection = of.connection.connect(missing).await?;
    if let Action::Create(_) = action {
        connection.store.create_table().await.map_err(|error| connection.explained(&error))?;
    }
    let asked = connection.store.client().describe_table().table_name(&connection.table).send().await;
    let described = match asked {
        Ok(described) => described.table,
        Err(error)
            if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            None
        }
        Err(error) => {
            let said = error.message().map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned);
            anyhow::bail!("{}: {said}", connection.told());
        }
    };
    let Some(table) = described else {
        let next = connection.command(&["store", "create"]);
        let text = if of.json {
            json!({ "store": connection.told(), "status": null, "next": next }).to_string()
        } else {
            format!("{}: there is no store yet\nnext: {next}", connection.told())
        };
        crate::stdout::tell(&format!("{text}\n"))?;
        return Ok(false);
    };
    let status = table.table_status().map_or("unknown", |status| status.as_str());
    let (items, bytes) =
        (table.item_count().unwrap_or_default(), table.table_size_bytes().unwrap_or_default());
    let next = if items == 0 {
        connection.command(&["import", "spans.json"])
    } else {
        connection.command(&["traces"])
    };
    let text = if of.json {
        let told = connection.told();
        json!({ "store": told, "status": status, "items": items, "bytes": bytes, "next": next }).to_string()
    } else {
        // AWS counts them about every six hours:
        // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
        let size = format!("{items} items, {bytes} bytes as last counted");
        format!("{}: {}, {size}\nnext: {next}", connection.told(), status.to_lowercase())
    };
    crate::stdout::tell(&format!("{text}\n"))?;
    Ok(true)
}
