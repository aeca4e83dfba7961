//! The shop of `examples/shop`: its resources, its functions, and what connects them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use throughline_host::{Build, Executables, Sandbox, ShutdownReason, build as cargo_build};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Options;
use super::effects::{Asked, Effects};
use super::front::Front;
use super::ledger::Ledger;
use super::local::Local;
use super::machine::Machine;
use super::orders::{self, Sent};
use super::progress::Progress;
use super::{events, providers};
use crate::cloud::{Cloud, QueueOptions, Resources, Sqs};
use crate::http_server;
use crate::mappings::{Activity, Delivered, Delivery, Fate, QueueMapping, StreamMapping, StreamSource};

/// The functions, by the name of their program.
pub(super) const FUNCTIONS: [&str; 6] =
    ["checkout-api", "payment-worker", "fulfilment", "audit-trail", "email-sender", "lunchbot"];

/// The table that the functions keep orders in.
pub(super) const ORDERS: &str = "orders";

/// How long nothing may happen before the shop counts as settled: more than one poll of a stream.
pub(super) const SETTLED: Duration = Duration::from_millis(300);

/// Receives of a message before it is a dead letter.
const MAX_RECEIVES: u32 = 3;
/// As the deployed application has them: retries of a stream's record, and records of a batch.
const STREAM_RETRIES: u32 = 2;
const BATCH_SIZE: usize = 10;
/// Short enough not to be felt, long enough for batches to mix orders.
const WINDOW: Duration = Duration::from_millis(100);

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

/// The running shop. Dropping it kills every process.
#[derive(Debug)]
pub(super) struct Shop {
    sqs: Arc<Sqs>,
    queues: Vec<String>,
    functions: BTreeMap<&'static str, Arc<Sandbox>>,
    front: String,
    /// Who has it may ask the shop for dry runs.
    dry_run_key: String,
    effects: Effects,
    activity: Activity,
    /// Mappings and servers: none of them ends by itself.
    tasks: JoinSet<anyhow::Result<()>>,
}

/// What the shop's resources are called by those who use them.
struct Names {
    topic_arn: String,
    payments_url: String,
    email_url: String,
    table_stream: String,
}

impl Shop {
    /// Starts everything; orders can be sent when it returns.
    pub(super) async fn start(
        machine: &Machine,
        binaries: &Executables,
        local: &Local,
        ledger: &Ledger,
    ) -> anyhow::Result<Self> {
        let cloud = &local.cloud;
        let names = create_resources(cloud).await?;
        let mut tasks = JoinSet::new();
        let third_parties = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no loopback port")?;
        let third_party = format!("http://{}", third_parties.local_addr()?);
        let asked = Asked::default();
        let told = asked.clone();
        tasks.spawn(async {
            http_server::serve(third_parties, move |r| providers::answer(r, told.clone())).await;
            Ok(())
        });

        let dry_run_key = uuid::Uuid::new_v4().to_string();
        let mut env = environment(local, &names, &third_party);
        env.push(("DRY_RUN_KEY".to_owned(), dry_run_key.clone()));
        let functions = start_functions(machine, binaries, &env).await?;
        let activity = Activity::default();
        let front_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no loopback port")?;
        let front = format!("http://{}", front_listener.local_addr()?);
        let handler = Front {
            function: functions["checkout-api"].clone(),
            ledger: ledger.clone(),
            activity: activity.clone(),
        };
        tasks.spawn(async {
            http_server::serve(front_listener, move |r| handler.clone().answer(r)).await;
            Ok(())
        });

        for (queue, url, function) in
            [("payments", &names.payments_url, "payment-worker"), ("email", &names.email_url, "email-sender")]
        {
            let mapping = QueueMapping {
                sqs: cloud.sqs.clone(),
                queue: queue.to_owned(),
                queue_url: url.clone(),
                function: functions[function].clone(),
                batch_size: BATCH_SIZE,
                window: WINDOW,
                retry_after: 1,
                observer: ledger.observer(),
                activity: activity.clone(),
            };
            tasks.spawn(mapping.run());
        }
        let table = StreamSource::DynamoDb {
            dynamodb: cloud.dynamodb.clone(),
            stream_arn: names.table_stream.clone(),
        };
        let audit = StreamSource::Kinesis { kinesis: cloud.kinesis.clone(), stream: "audit".to_owned() };
        for (source, function) in [(table, "fulfilment"), (audit, "audit-trail")] {
            let mapping = StreamMapping {
                source,
                function: functions[function].clone(),
                batch_size: BATCH_SIZE,
                window: WINDOW,
                max_retries: STREAM_RETRIES,
                observer: ledger.observer(),
                activity: activity.clone(),
            };
            tasks.spawn(mapping.run());
        }
        let effects = Effects { dynamodb: cloud.dynamodb.clone(), asked };
        Ok(Self {
            sqs: cloud.sqs.clone(),
            queues: vec![names.payments_url, names.email_url],
            functions,
            front,
            dry_run_key,
            effects,
            activity,
            tasks,
        })
    }

    /// Sends the orders, and lunchbot's schedule once beside them.
    pub(super) async fn order(
        &mut self,
        options: &Options,
        ledger: &Ledger,
        progress: &Progress,
    ) -> anyhow::Result<Vec<Sent>> {
        let (count, timeout) = (options.orders + options.dry_runs, options.timeout());
        let orders = if count == 1 { "order" } else { "orders" };
        progress.phase(&format!("sending {count} {orders}"));
        let sending = orders::send(&self.front, options, &self.dry_run_key, |answered| {
            progress.step(|| format!("sending orders: {answered} of {count} answered"));
        });
        let sending = async {
            let sending = tokio::time::timeout(timeout, sending).await;
            sending.unwrap_or_else(|_| bail!("the orders were not answered within {} s", timeout.as_secs()))
        };
        let (sent, ()) = tokio::join!(sending, self.ring_for_lunch(ledger));
        sent
    }

    async fn ring_for_lunch(&self, ledger: &Ledger) {
        let _busy = self.activity.begin();
        let function = &self.functions["lunchbot"];
        let event = events::schedule("lunchbot", SystemTime::now());
        let reply = function.invoke(event.clone()).await;
        let error = reply.outcome.error().cloned();
        let fate = if error.is_some() { Fate::Failed } else { Fate::Done };
        ledger.note(Delivery {
            function: function.function_name().to_owned(),
            request_id: reply.request_id,
            records: vec![Delivered { id: None, record: event, fate }],
            error,
        });
    }

    /// Whether nothing is under way or waiting; the number tells two such moments apart.
    pub(super) async fn quiet(&self) -> anyhow::Result<Option<u64>> {
        for queue in &self.queues {
            if self.sqs.depth(queue).await.map_err(|e| anyhow!("{e}"))? > 0 {
                return Ok(None);
            }
        }
        Ok(self.activity.idle())
    }

    /// Whether all mappings still run.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?.and(Err(anyhow!("a part of the local run ended too early"))),
        }
    }

    /// Where to look for what the orders did.
    pub(super) fn effects(&self) -> Effects {
        self.effects.clone()
    }

    /// Ends the functions, their extensions with a last flush.
    pub(super) async fn shutdown(mut self) {
        self.tasks.shutdown().await;
        let mut ends = JoinSet::new();
        for sandbox in self.functions.into_values() {
            ends.spawn(async move { sandbox.shutdown(ShutdownReason::Spindown).await });
        }
        ends.join_all().await;
    }
}

async fn create_resources(cloud: &Cloud) -> anyhow::Result<Names> {
    let resources = Resources(cloud);
    let dead = QueueOptions { visibility_timeout: 30, dead_letters: None };
    resources.queue("payments-dlq", dead).await?;
    resources.queue("email-dlq", dead).await?;
    let with_dead_letters =
        |queue| QueueOptions { visibility_timeout: 60, dead_letters: Some((queue, MAX_RECEIVES)) };
    let payments_url = resources.queue("payments", with_dead_letters("payments-dlq")).await?;
    let email_url = resources.queue("email", with_dead_letters("email-dlq")).await?;
    let topic_arn = resources.topic("orders")?;
    resources.subscription(&topic_arn, "payments", false)?;
    resources.stream("audit", 2)?;
    let table_stream = resources.table(ORDERS, "order_id")?;
    Ok(Names { topic_arn, payments_url, email_url, table_stream })
}

fn environment(local: &Local, names: &Names, third_party: &str) -> Vec<(String, String)> {
    let (charges, mails) = (format!("{third_party}/charges"), format!("{third_party}/mails"));
    let mut env = local.cloud.env();
    env.extend(
        [
            ("ORDERS_TOPIC_ARN", names.topic_arn.as_str()),
            ("EMAIL_QUEUE_URL", &names.email_url),
            ("ORDERS_TABLE", ORDERS),
            ("AUDIT_STREAM", "audit"),
            ("PAYMENT_PROVIDER_URL", &charges),
            ("MAIL_PROVIDER_URL", &mails),
            ("THROUGHLINE_DYNAMODB_TABLES", ORDERS),
            ("THROUGHLINE_EXPORT_ENDPOINT", &local.endpoint),
            // Each order is looked at when its last function is done.
            ("THROUGHLINE_FLUSH", "end"),
            // What is shown is what the orders did.
            ("THROUGHLINE_PHASES", "off"),
            // Every sandbox shares our network: any free port, told by the port file.
            ("THROUGHLINE_LISTEN", "127.0.0.1:0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    env
}

async fn start_functions(
    machine: &Machine,
    binaries: &Executables,
    env: &[(String, String)],
) -> anyhow::Result<BTreeMap<&'static str, Arc<Sandbox>>> {
    let mut starting = JoinSet::new();
    for function in FUNCTIONS {
        let config = machine.sandbox(function, binaries, env)?;
        starting.spawn(async move { anyhow::Ok((function, Arc::new(Sandbox::start(config).await?))) });
    }
    let mut functions = BTreeMap::new();
    while let Some(started) = starting.join_next().await {
        let (function, sandbox) = started??;
        functions.insert(function, sandbox);
    }
    Ok(functions)
}
