//! The fields of spans and events, as attributes.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use tracing::field::{Field, Visit};

use crate::span::attribute;

/// Collects fields as attributes.
#[derive(Default)]
pub(super) struct Fields(pub(super) Vec<KeyValue>);

impl Fields {
    /// What `record` tells.
    pub(super) fn of(record: impl FnOnce(&mut Self)) -> Self {
        let mut fields = Self::default();
        record(&mut fields);
        fields
    }

    /// What the event says: its message, which is taken out, else the error that it is about, as
    /// `#[tracing::instrument(err)]` has it.
    pub(super) fn said(&mut self) -> Option<String> {
        self.message().or_else(|| {
            let error = self.0.iter().find(|field| field.key == "error")?;
            text(error.value.clone())
        })
    }

    fn message(&mut self) -> Option<String> {
        let index = self.0.iter().position(|field| field.key == "message")?;
        text(self.0.remove(index).value)
    }
}

fn text(value: Option<AnyValue>) -> Option<String> {
    match value?.value? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(attribute(field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(attribute(field.name(), value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push(attribute(field.name(), value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.0.push(attribute(field.name(), value.to_string())),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push(attribute(field.name(), value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push(attribute(field.name(), value));
    }
}
