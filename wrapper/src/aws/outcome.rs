//! What became of a context: where it went, or why it, or a part, did not.

/// Where a context went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Injected {
    /// Attributes of a message or of an item.
    Attributes,
    /// A member of the body.
    Body,
    /// The X-Ray header alone.
    Header,
    None,
}

/// Why a context, or a part of it, was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    AttributesFull,
    TooLarge,
    NotJsonObject,
    Idempotent,
    Presigned,
    CallerSet,
    NotEnabled,
    /// The invocation reads the stream of the table that is written to.
    OwnStream,
    /// An update in the form that came before expressions, which cannot be mixed with them, or by an empty one.
    NoExpression,
    FeatureOff,
}

/// What became of one context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) injected: Injected,
    pub(super) skipped: Option<Skipped>,
}

impl Outcome {
    pub(super) const fn done(injected: Injected) -> Self {
        Self { injected, skipped: None }
    }

    /// Whether all of the context went along.
    pub(super) fn is_whole(self) -> bool {
        matches!(self.injected, Injected::Attributes | Injected::Body) && self.skipped.is_none()
    }

    pub(super) const fn skipped(why: Skipped) -> Self {
        Self { injected: Injected::None, skipped: Some(why) }
    }
}

impl Injected {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Body => "body",
            Self::Header => "header",
            Self::None => "none",
        }
    }
}

impl Skipped {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AttributesFull => "attributes-full",
            Self::TooLarge => "too-large",
            Self::NotJsonObject => "not-json-object",
            Self::Idempotent => "idempotent",
            Self::Presigned => "presigned",
            Self::CallerSet => "caller-set",
            Self::NotEnabled => "not-enabled",
            Self::OwnStream => "own-stream",
            Self::NoExpression => "no-expression",
            Self::FeatureOff => "feature-off",
        }
    }
}
