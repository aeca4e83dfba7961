//! S3: the context as user metadata `traceparent` of an object, only in the buckets that the configuration names:
//! no event carries it, so it is for those who read the object. Events join by the request's id.
//!
//! It is a header that is added just before the request is signed, and never to one that is signed for somebody
//! else to send.

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadInput;
use aws_sdk_s3::operation::complete_multipart_upload::{
    CompleteMultipartUploadError, CompleteMultipartUploadInput,
};
use aws_sdk_s3::operation::copy_object::{CopyObjectError, CopyObjectInput};
use aws_sdk_s3::operation::create_multipart_upload::{
    CreateMultipartUploadError, CreateMultipartUploadInput,
};
use aws_sdk_s3::operation::delete_object::{DeleteObjectError, DeleteObjectInput};
use aws_sdk_s3::operation::delete_objects::{DeleteObjectsError, DeleteObjectsInput};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectInput};
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectInput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Input};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectInput};
use aws_sdk_s3::operation::upload_part::{UploadPartError, UploadPartInput};
use aws_sdk_s3::operation::upload_part_copy::{UploadPartCopyError, UploadPartCopyInput};
use aws_sdk_s3::types::MetadataDirective;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::Call;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::propagation::join;

/// What the headers of user metadata begin with.
const PREFIX: &str = "x-amz-meta-";

/// The header that carries the context.
const HEADER: &str = "x-amz-meta-traceparent";

/// The most bytes of all user metadata, names and values; whether the prefix counts is not said, so it does
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata>).
const MAX_METADATA: usize = 2 * 1024;

#[derive(Debug)]
pub(super) struct S3;

impl Service for S3 {
    fn name(&self) -> &'static str {
        "S3"
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        let object = Object::of(input);
        object.describe(call);
        // A copy has the metadata of its source, unless the caller gives it others.
        let keeps =
            object.copy_source.is_some() && object.metadata_directive != Some(&MetadataDirective::Replace);
        if !matches!(call.operation(), "PutObject" | "CreateMultipartUpload" | "CopyObject") {
            return;
        }
        let buckets = &call.scope().invocation().settings().buckets;
        if call.is_presigned() {
            call.injected(Outcome::skipped(Skipped::Presigned));
        } else if keeps || !object.bucket.is_some_and(|bucket| buckets.contains(bucket)) {
            call.injected(Outcome::skipped(Skipped::NotEnabled));
        } else {
            call.add_metadata();
        }
    }

    fn sign(&self, headers: &mut Headers, call: &mut Call) {
        if call.adds_metadata() {
            let outcome = write(headers, call.hop().carrier.traceparent);
            call.injected(outcome);
        }
    }

    fn finish(&self, _output: &Output, call: &mut Call) {
        // The requests that events tell of.
        let writes = matches!(
            call.operation(),
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "DeleteObject" | "DeleteObjects"
        );
        if let Some(join) = call.request_id().filter(|_| writes).map(join::s3) {
            call.join(vec![join]);
        }
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(
            error,
            GetObjectError,
            HeadObjectError,
            PutObjectError,
            DeleteObjectError,
            DeleteObjectsError,
            CopyObjectError,
            ListObjectsV2Error,
            CreateMultipartUploadError,
            UploadPartError,
            UploadPartCopyError,
            CompleteMultipartUploadError,
        )
    }
}

/// Writes the context into the metadata of a request.
fn write(headers: &mut Headers, traceparent: String) -> Outcome {
    if headers.contains_key(HEADER) {
        return Outcome::skipped(Skipped::CallerSet);
    }
    let own = headers.iter().filter(|(name, _)| name.starts_with(PREFIX));
    let size: usize = own.map(|(name, value)| name.len() + value.len()).sum();
    if size + HEADER.len() + traceparent.len() > MAX_METADATA {
        return Outcome::skipped(Skipped::TooLarge);
    }
    match headers.try_insert(HEADER, traceparent) {
        Ok(_) => Outcome::done(Injected::Attributes),
        Err(_) => Outcome { injected: Injected::None, skipped: None },
    }
}

/// What a request is about.
#[derive(Default)]
struct Object<'a> {
    bucket: Option<&'a str>,
    key: Option<&'a str>,
    copy_source: Option<&'a str>,
    metadata_directive: Option<&'a MetadataDirective>,
    upload_id: Option<&'a str>,
    part_number: Option<i32>,
}

/// The fields of `Object` that an input of one of the types has.
macro_rules! object_of {
    ($input:expr, $($type:ty: $($field:ident)+),+ $(,)?) => {
        $(if let Some(input) = $input.downcast_ref::<$type>() {
            Object { $($field: input.$field(),)+ ..Object::default() }
        } else)+ {
            Object::default()
        }
    };
}

impl<'a> Object<'a> {
    fn of(input: &'a Input) -> Self {
        object_of!(
            input,
            GetObjectInput: bucket key,
            HeadObjectInput: bucket key,
            PutObjectInput: bucket key,
            DeleteObjectInput: bucket key,
            DeleteObjectsInput: bucket,
            ListObjectsV2Input: bucket,
            CopyObjectInput: bucket key copy_source metadata_directive,
            CreateMultipartUploadInput: bucket key,
            UploadPartInput: bucket key upload_id part_number,
            UploadPartCopyInput: bucket key copy_source upload_id part_number,
            CompleteMultipartUploadInput: bucket key upload_id,
            AbortMultipartUploadInput: bucket key upload_id,
        )
    }

    /// The attributes of an S3 call (<https://opentelemetry.io/docs/specs/semconv/object-stores/s3/>).
    fn describe(&self, call: &mut Call) {
        let texts = [
            ("aws.s3.bucket", self.bucket),
            ("aws.s3.key", self.key),
            ("aws.s3.copy_source", self.copy_source),
            ("aws.s3.upload_id", self.upload_id),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                call.set(name, text);
            }
        }
        if let Some(part) = self.part_number {
            call.set("aws.s3.part_number", i64::from(part));
        }
    }
}

#[cfg(all(test, feature = "sqs"))]
mod tests;
