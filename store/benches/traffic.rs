//! A million invocations of synthetic traffic in an embedded store, and all questions asked of them.
//!
//! `cargo bench --package throughline-store --bench traffic -- --invocations 1000000` writes them, asks, and prints how
//! long each question took and how many requests. More requests than are promised are an error; times are only told.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Parser;
use dynoxide::Database;
use futures_util::{TryStreamExt as _, stream};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use throughline_store::schema::{PARTITION_KEY, Partition, SORT_KEY};
use throughline_store::time::{DAY, HOUR, Window};
use throughline_store::traffic::{Asked, Traffic, ask_all, known};
use throughline_store::{FAILURE_SHARDS, Options, Reader, Store, Writer};

/// As the explorer has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// When the traffic ends, in milliseconds since 1970: 2026-11-20, 14:00.
const END: u64 = 1_795_183_200_000;
const TABLE: &str = "traces";
/// How many invocations of a sandbox are written at once, and how many sandboxes' are.
const AT_ONCE: usize = 50;
const SANDBOXES: usize = 4;
/// How many damaged items there are of each kind.
const DAMAGED: u64 = 50;

#[derive(Debug, Parser)]
struct Arguments {
    /// How many invocations
    #[arg(long, default_value_t = 100_000)]
    invocations: usize,
    /// In how many days
    #[arg(long, default_value_t = 3)]
    days: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each question is asked
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The store's file, which is kept; what it holds already is not written again [default: one that is removed]
    #[arg(long)]
    file: Option<PathBuf>,
    /// Ask only questions with this in their name
    #[arg(long, default_value = "")]
    only: String,
    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let file = arguments.file.clone().unwrap_or_else(|| folder.path().join("traffic.db"));
    let written = std::fs::metadata(&file).is_ok_and(|file| file.len() > 0);
    let path = file.to_str().context("the file's name is no UTF-8")?;
    let database = Database::new(path).map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
    let store = Store::embedded(database.clone(), TABLE);
    let window = Window::new(END - arguments.days * DAY, END);
    if !written {
        store.create_table().await?;
        database.enable_bulk_loading()?;
        write(&arguments, &store, window).await?;
        damage(store.client()).await?;
        database.disable_bulk_loading()?;
        println!("{:.1} GB", std::fs::metadata(&file)?.len() as f64 / 1e9);
    }
    ask(&arguments, &store.reader(at(END)), window).await
}

/// What one sandbox has not handed over yet.
struct Sandbox {
    writer: Writer<Store>,
    waiting: Vec<ExportTraceServiceRequest>,
    lines: Vec<ResourceLogs>,
    last: u64,
}

async fn write(arguments: &Arguments, store: &Store, window: Window) -> anyhow::Result<()> {
    let (begun, mut told) = (Instant::now(), Instant::now());
    let mut sandboxes: HashMap<String, Sandbox> = HashMap::new();
    let traffic = Traffic::new(arguments.seed, arguments.invocations, window);
    for (made, handed) in traffic.enumerate() {
        let fresh = || Sandbox {
            writer: store.writer(&handed.sandbox, Options::default()),
            waiting: Vec::new(),
            lines: Vec::new(),
            last: 0,
        };
        let sandbox = sandboxes.entry(handed.sandbox.clone()).or_insert_with(fresh);
        sandbox.waiting.push(handed.request);
        sandbox.lines.push(handed.logs);
        sandbox.last = handed.at;
        if made % 5_000 == 4_999 {
            let over = |one: &&mut Sandbox| one.waiting.len() >= AT_ONCE || one.last + HOUR < handed.at;
            flush(sandboxes.values_mut().filter(over), handed.at).await?;
            sandboxes.retain(|_, one| one.last + 3 * HOUR > handed.at);
        }
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let rate = made as f64 / begun.elapsed().as_secs_f64();
            eprintln!("{made} of {} written, {rate:.0} a second", arguments.invocations);
        }
    }
    flush(sandboxes.values_mut(), END).await?;
    let rate = arguments.invocations as f64 / begun.elapsed().as_secs_f64();
    println!("{} invocations in {} days, {rate:.0} written a second", arguments.invocations, arguments.days);
    Ok(())
}

async fn flush(sandboxes: impl Iterator<Item = &mut Sandbox>, now: u64) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(600);
    stream::iter(sandboxes.map(Ok))
        .try_for_each_concurrent(SANDBOXES, async |sandbox| {
            let waiting = std::mem::take(&mut sandbox.waiting);
            let resource_spans = waiting.into_iter().flat_map(|request| request.resource_spans).collect();
            let request = ExportTraceServiceRequest { resource_spans };
            sandbox.writer.write_request(request, at(now), deadline).await?;
            let logs = ExportLogsServiceRequest { resource_logs: std::mem::take(&mut sandbox.lines) };
            sandbox.writer.write_logs(logs, at(now), deadline).await.map(drop)
        })
        .await?;
    Ok(())
}

/// Items that are none of ours, where the newest ones of the busiest function are.
async fn damage(client: &Client) -> anyhow::Result<()> {
    let (day, function) = (END / DAY, "orders-worker".to_owned());
    for n in 0..DAMAGED {
        let shard = (n % 16) as u8;
        for partition in [
            Partition::Runs { day, shard, function: function.clone() },
            Partition::Failures { day, shard: shard % FAILURE_SHARDS, function: function.clone() },
            Partition::Begun { day, shard },
        ] {
            client
                .put_item()
                .table_name(TABLE)
                .item(PARTITION_KEY, AttributeValue::S(partition.to_string()))
                .item(SORT_KEY, AttributeValue::S(format!("{:013}#damaged", END - n * HOUR / 4)))
                .item("start", AttributeValue::S("tomorrow".to_owned()))
                .send()
                .await?;
        }
    }
    Ok(())
}

async fn ask(arguments: &Arguments, reader: &Reader, all: Window) -> anyhow::Result<()> {
    let mut too_many = 0;
    let windows = [("1 hour", HOUR), ("24 hours", DAY), ("all", arguments.days * DAY)];
    println!(
        "\n{:<32} {:<9} {:>9} {:>9} {:>9} {:>6}",
        "question", "window", "p50 ms", "max ms", "requests", "bound"
    );
    for (name, length) in windows {
        let window = Window::new(all.to - length, all.to);
        let mut rows: BTreeMap<usize, Vec<Asked>> = BTreeMap::new();
        for round in 0..arguments.rounds {
            let mut in_hand = known(reader, window, round * 5).await?;
            if in_hand.is_none() {
                in_hand = known(reader, all, round * 5).await?;
            }
            let Some(known) = in_hand else { bail!("nothing failed") };
            for (row, asked) in
                ask_all(reader, window, &known, &arguments.only).await?.into_iter().enumerate()
            {
                rows.entry(row).or_default().push(asked);
            }
        }
        for asked in rows.values() {
            let mut took: Vec<f64> = asked.iter().map(|one| one.took.as_secs_f64() * 1000.0).collect();
            took.sort_by(f64::total_cmp);
            let requests = asked.iter().map(|one| one.requests).max().unwrap_or_default();
            let Asked { question, bound, .. } = asked[0];
            println!(
                "{question:<32} {name:<9} {:>9.1} {:>9.1} {requests:>9} {bound:>6}",
                took[took.len() / 2],
                took[took.len() - 1],
            );
            too_many += usize::from(requests > bound);
        }
    }
    if too_many > 0 { bail!("{too_many} questions took more requests than they may") } else { Ok(()) }
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}
