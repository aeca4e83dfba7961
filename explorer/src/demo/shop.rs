//! The shop of `examples/shop`: its resources, its functions, and what connects them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::effects::{Asked, Effects};
use super::events;
use super::fleet::Fleet;
use super::front::Front;
use super::ledger::Ledger;
use super::local::Local;
use super::machine::Machine;
use super::orders::{self, Order, Sent};
use super::progress::Progress;
use super::providers::Providers;
use super::resources;
use crate::cloud::Sqs;
use crate::http_server;
use crate::mappings::{
    Activity, Delivered, Delivery, Fate, Function as _, QueueMapping, StreamMapping, StreamSource,
};

/// The functions, by the name of their program.
pub(super) const FUNCTIONS: [&str; 6] =
    ["checkout-api", "payment-worker", "fulfilment", "audit-trail", "email-sender", "lunchbot"];

/// As the deployed application has it: retries of a stream's record.
const STREAM_RETRIES: u32 = 2;

/// The running shop. Dropping it kills every process.
#[derive(Debug)]
pub(super) struct Shop {
    sqs: Arc<Sqs>,
    queues: Vec<String>,
    functions: BTreeMap<&'static str, Arc<Fleet>>,
    env: Vec<(String, String)>,
    front: String,
    /// Who has it may ask the shop for dry runs.
    dry_run_key: String,
    effects: Effects,
    activity: Activity,
    /// Mappings and servers: none of them ends by itself.
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Shop {
    /// Starts everything; orders can be sent when it returns.
    pub(super) async fn start(machine: &Machine, local: &Local, ledger: &Ledger) -> anyhow::Result<Self> {
        let cloud = &local.cloud;
        let fault = machine.fault;
        let names = resources::create(cloud, fault.max_receives).await?;
        let mut tasks = JoinSet::new();
        let third_parties = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no loopback port")?;
        let address = third_parties.local_addr()?;
        let asked = Asked::default();
        let providers = Providers::new(asked.clone(), fault);
        tasks.spawn(async {
            http_server::serve(third_parties, move |r| providers.clone().answer(r)).await;
            Ok(())
        });

        let dry_run_key = uuid::Uuid::new_v4().to_string();
        let mut env = resources::environment(local, &names, address, &fault);
        env.push(("DRY_RUN_KEY".to_owned(), dry_run_key.clone()));
        let functions = start_functions(machine, &env).await?;
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
                batch_size: fault.batch_size,
                window: fault.window,
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
                batch_size: fault.batch_size,
                window: fault.window,
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
            env,
            front,
            dry_run_key,
            effects,
            activity,
            tasks,
        })
    }

    /// Sends orders, and waits for the answers.
    pub(super) async fn order(
        &self,
        orders: Vec<Order>,
        timeout: Duration,
        progress: &Progress,
    ) -> anyhow::Result<Vec<Sent>> {
        let count = orders.len();
        let what = if count == 1 { "order" } else { "orders" };
        progress.phase(&format!("sending {count} {what}"));
        let sending = orders::send(&self.front, orders, |answered| {
            progress.step(|| format!("sending orders: {answered} of {count} answered"));
        });
        let sending = tokio::time::timeout(timeout, sending).await;
        sending.unwrap_or_else(|_| bail!("the orders were not answered within {} s", timeout.as_secs()))
    }

    /// Who has it may ask the shop for dry runs.
    pub(super) fn dry_run_key(&self) -> &str {
        &self.dry_run_key
    }

    /// The new version of a function takes over. Nothing may be under way.
    pub(super) async fn deploy(&self, function: &'static str, machine: &Machine) -> anyhow::Result<()> {
        let config = machine.sandbox(function, &self.env, true)?;
        self.functions[function].deploy(config).await;
        Ok(())
    }

    /// Lunchbot's schedule, once.
    pub(super) async fn ring_for_lunch(&self, ledger: &Ledger) {
        let _busy = self.activity.begin();
        let function = &self.functions["lunchbot"];
        let event = events::schedule("lunchbot", SystemTime::now());
        let reply = function.invoke(event.clone()).await;
        let error = reply.outcome.error().cloned();
        let fate = if error.is_some() { Fate::Failed } else { Fate::Done };
        ledger.note(Delivery {
            function: function.name().to_owned(),
            request_id: reply.request_id,
            records: vec![Delivered { id: None, record: event, fate }],
            error,
        });
    }

    /// Whether nothing is under way or waiting; the number tells two such moments apart.
    pub(super) async fn idle(&self) -> anyhow::Result<Option<u64>> {
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
        for fleet in self.functions.into_values() {
            ends.spawn(async move { fleet.shutdown().await });
        }
        ends.join_all().await;
    }
}

async fn start_functions(
    machine: &Machine,
    env: &[(String, String)],
) -> anyhow::Result<BTreeMap<&'static str, Arc<Fleet>>> {
    let mut starting = JoinSet::new();
    for function in FUNCTIONS {
        let (config, most) = (machine.sandbox(function, env, false)?, machine.at_once(function));
        starting.spawn(async move { anyhow::Ok((function, Arc::new(Fleet::start(config, most).await?))) });
    }
    let mut functions = BTreeMap::new();
    while let Some(started) = starting.join_next().await {
        let (function, fleet) = started??;
        functions.insert(function, fleet);
    }
    Ok(functions)
}
