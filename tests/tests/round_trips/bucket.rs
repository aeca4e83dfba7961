//! Buckets: rustack's, which check the signature of every request, or moto's.

use std::pin::Pin;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use rustack_auth::StaticCredentialProvider;
use rustack_s3_core::RustackS3;
use rustack_s3_core::config::S3Config;
use rustack_s3_core::storage::StagedUpload;
use rustack_s3_http::{
    FromS3Request, IntoS3Response, RoutingContext, S3Handler, S3HttpConfig, S3HttpService, S3ResponseBody,
};
use rustack_s3_model::S3Operation;
use rustack_s3_model::error::S3Error;

use crate::emulator::{Emulator, sdk};
use crate::server::Server;

/// Where buckets are.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) endpoint: String,
    _embedded: Option<Server>,
}

impl Buckets {
    pub(crate) async fn start(emulator: &Emulator) -> Self {
        if emulator.is_moto() {
            return Self { endpoint: emulator.endpoint().to_owned(), _embedded: None };
        }
        let known = Credentials::for_tests();
        let known = (known.access_key_id().to_owned(), known.secret_access_key().to_owned());
        let config = S3HttpConfig {
            virtual_hosting: false,
            skip_signature_validation: false,
            credential_provider: Some(Arc::new(StaticCredentialProvider::new([known]))),
            ..S3HttpConfig::default()
        };
        let service = S3HttpService::new(Provider(RustackS3::new(S3Config::default())), config);
        let server = Server::start(service).await;
        Self { endpoint: server.endpoint.clone(), _embedded: Some(server) }
    }

    /// A client that does not trace.
    pub(crate) async fn plain(&self) -> Client {
        let config = aws_sdk_s3::config::Builder::from(&sdk(&self.endpoint).await);
        Client::from_conf(config.force_path_style(true).build())
    }

    pub(crate) async fn make(&self, bucket: &str) {
        self.plain().await.create_bucket().bucket(bucket).send().await.unwrap();
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<S3ResponseBody>, S3Error>> + Send + 'a>>;

/// The operations that the tests need.
#[derive(Debug)]
struct Provider(RustackS3);

impl S3Handler for Provider {
    fn handle_staged_upload(
        &self,
        parts: Parts,
        upload: Arc<StagedUpload>,
        route: RoutingContext,
    ) -> Answer<'static> {
        let s3 = self.0.clone();
        Box::pin(async move {
            match route.operation {
                S3Operation::PutObject => {
                    let input = input(&parts, &route, Bytes::new())?;
                    s3.handle_put_object_staged(input, upload).await?.into_s3_response()
                }
                _ => {
                    let input = input(&parts, &route, Bytes::new())?;
                    s3.handle_upload_part_staged(input, upload).await?.into_s3_response()
                }
            }
        })
    }

    fn handle_operation(
        &self,
        operation: S3Operation,
        parts: Parts,
        body: Bytes,
        route: RoutingContext,
    ) -> Answer<'static> {
        let s3 = self.0.clone();
        macro_rules! handled_by {
            ($handler:ident) => {
                s3.$handler(input(&parts, &route, body)?).await?.into_s3_response()
            };
        }
        Box::pin(async move {
            match operation {
                S3Operation::CreateBucket => handled_by!(handle_create_bucket),
                S3Operation::GetObject => handled_by!(handle_get_object),
                S3Operation::HeadObject => handled_by!(handle_head_object),
                S3Operation::CopyObject => handled_by!(handle_copy_object),
                S3Operation::CreateMultipartUpload => handled_by!(handle_create_multipart_upload),
                S3Operation::CompleteMultipartUpload => handled_by!(handle_complete_multipart_upload),
                other => Err(S3Error::not_implemented(other.as_str())),
            }
        })
    }
}

fn input<T: FromS3Request>(parts: &Parts, route: &RoutingContext, body: Bytes) -> Result<T, S3Error> {
    T::from_s3_request(parts, route.bucket.as_deref(), route.key.as_deref(), &route.query_params, body)
}
