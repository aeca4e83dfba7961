//! Event buses, and the queues that are targets of their rules.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use rustack_events_core::config::EventsConfig;
use rustack_events_core::delivery::{DeliveryError, Target, TargetDelivery};
use rustack_events_core::handler::RustackEventsHandler;
use rustack_events_core::provider::RustackEvents;
use rustack_events_http::{EventsHttpConfig, EventsHttpService};
use serde_json::{Value, json};

use crate::emulator::{Emulator, call, unique};
use crate::queue::Queue;
use crate::server::Server;

/// A bus of a test's own.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) name: String,
    pub(crate) endpoint: String,
    _embedded: Option<Server>,
}

impl Bus {
    pub(crate) async fn new(emulator: &Emulator) -> Self {
        let name = unique("orders");
        let embedded = if emulator.is_moto() { None } else { Some(embedded(emulator).await) };
        let endpoint = embedded.as_ref().map_or_else(|| emulator.endpoint(), |server| &server.endpoint);
        let bus = Self { name, endpoint: endpoint.to_owned(), _embedded: embedded };
        bus.call("CreateEventBus", json!({ "Name": bus.name })).await;
        bus
    }

    /// Sends the events that match `pattern` to `queue`.
    pub(crate) async fn rule(&self, pattern: &Value, queue: &Queue<'_>) {
        let rule = unique("rule");
        let (bus, pattern) = (&self.name, pattern.to_string());
        self.call("PutRule", json!({ "Name": rule, "EventBusName": bus, "EventPattern": pattern })).await;
        let targets = json!([{ "Id": "queue", "Arn": queue.arn }]);
        self.call("PutTargets", json!({ "Rule": rule, "EventBusName": bus, "Targets": targets })).await;
    }

    async fn call(&self, operation: &str, body: Value) -> Value {
        call(&self.endpoint, "events", &format!("AWSEvents.{operation}"), &body).await
    }
}

/// rustack's event buses, whose rules deliver to the emulator's queues.
async fn embedded(emulator: &Emulator) -> Server {
    let queues = Queues(Client::new(&emulator.sdk().await));
    let provider = Arc::new(RustackEvents::new(EventsConfig::default(), Arc::new(queues)));
    let handler = Arc::new(RustackEventsHandler::new(provider));
    Server::start(EventsHttpService::new(handler, EventsHttpConfig::default())).await
}

#[derive(Debug)]
struct Queues(Client);

#[async_trait]
impl TargetDelivery for Queues {
    fn validate(&self, _: &Target) -> Result<(), DeliveryError> {
        Ok(())
    }

    async fn deliver(&self, target: &Target, event: &str) -> Result<(), DeliveryError> {
        let failed = |error: &dyn std::fmt::Debug| DeliveryError::TargetError(format!("{error:?}"));
        let name = target.arn.rsplit(':').next().unwrap_or_default();
        let queue = self.0.get_queue_url().queue_name(name).send().await.map_err(|error| failed(&error))?;
        let call = self.0.send_message().set_queue_url(queue.queue_url).message_body(event);
        call.send().await.map(drop).map_err(|error| failed(&error))
    }
}
