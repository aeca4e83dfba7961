//! The trace store: `THROUGHLINE_STORE_*`. Where DynamoDB is and who writes there is called as the AWS SDKs call it.

use super::{Reader, aws};
use crate::endpoint::Endpoint;
use crate::export::Store;
use std::time::Duration;

const TABLE: &str = "THROUGHLINE_STORE_TABLE";
const TTL_DAYS: &str = "THROUGHLINE_STORE_TTL_DAYS";
const INDEX: &str = "THROUGHLINE_STORE_INDEX";
/// What the store's own writer takes if nothing is said.
const DAYS: u64 = 14;
const USER: &str = "user.id";
/// Each costs a write for each invocation.
const MOST_INDEXED: usize = 8;

// === impl Reader ===

impl Reader<'_> {
    /// The trace store, if one is named.
    pub(super) fn store(&mut self) -> Option<Store> {
        let table = self.value(TABLE)?;
        let days = self.number(TTL_DAYS, DAYS, 1..=3650);
        let index = self.index();
        let found = read(&|variable| self.value(variable), table);
        let set = |store| Store { retention: Duration::from_secs(days * 24 * 3600), index, ..store };
        found.map(set).map_err(|why| self.warn(TABLE, table, format!("{why}; no trace store is used"))).ok()
    }

    /// The members of the baggage that invocations are found by.
    fn index(&mut self) -> Vec<String> {
        let value = self.value(INDEX).unwrap_or(USER);
        if value == "none" {
            return Vec::new();
        }
        let keys: Vec<&str> = value.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
        if keys.len() > MOST_INDEXED {
            let message = format!("names {} members; the first {MOST_INDEXED} are used", keys.len());
            self.warn(INDEX, value, message);
        }
        keys.into_iter().take(MOST_INDEXED).map(str::to_owned).collect()
    }
}

fn read(variables: aws::Variables<'_, '_>, table: &str) -> Result<Store, &'static str> {
    let region = match table.strip_prefix("arn:") {
        Some(_) => region_of(table).ok_or("is not the ARN of a table")?,
        None if is_name(table) => aws::region(variables)?,
        None => return Err("is neither the name of a table nor its ARN"),
    };
    let endpoint = variables("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variables("AWS_ENDPOINT_URL"));
    let endpoint = match endpoint {
        Some(url) => Endpoint::parse(url)
            .map_err(|_| "needs a URL in AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL")?,
        None => aws::service("dynamodb", region)?,
    };
    Ok(Store {
        table: table.to_owned(),
        region: region.to_owned(),
        source: aws::source(variables)?,
        endpoint,
        sandbox: variables("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default().to_owned(),
        retention: Duration::ZERO,
        index: Vec::new(),
    })
}

/// Of `arn:aws:dynamodb:us-east-1:123456789012:table/traces`.
fn region_of(arn: &str) -> Option<&str> {
    let [_, _, "dynamodb", region, _, resource] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let is_table = resource.strip_prefix("table/").is_some_and(is_name);
    Some(region).filter(|region| is_table && aws::is_region(region))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (3..=255).contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Export, Notice, parse};
    use super::{INDEX, TABLE, TTL_DAYS};
    use crate::export::Store;
    use std::collections::HashMap;
    use std::time::Duration;

    const LAMBDA: [(&str, &str); 4] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]00"),
    ];

    fn read(pairs: &[(&str, &str)]) -> (Config, Vec<Notice>) {
        let variable = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        parse(&LAMBDA.iter().chain(pairs).map(variable).collect::<HashMap<_, _>>(), false)
    }

    fn store(pairs: &[(&str, &str)]) -> Store {
        let (config, notices) = read(pairs);
        assert_eq!(notices, []);
        let Some(Export::Store(store)) = config.exports.last() else { panic!("no store in {config:?}") };
        (**store).clone()
    }

    #[test]
    fn a_table_is_where_the_function_is_or_where_its_arn_says() {
        let told = |store: &Store| (store.region.clone(), store.endpoint.to_string());
        let name = store(&[(TABLE, "traces")]);
        assert_eq!(told(&name), ("eu-west-1".into(), "https://dynamodb.eu-west-1.amazonaws.com:443".into()));
        assert_eq!(
            (name.sandbox.as_str(), name.retention),
            ("2026/11/22/[$LATEST]00", Duration::from_secs(1_209_600))
        );
        assert_eq!(name.index, ["user.id"]);
        assert!(!format!("{name:?}").contains("hunter2"));
        let other = store(&[(TABLE, "arn:aws:dynamodb:us-east-1:123456789012:table/traces")]);
        assert_eq!(told(&other), ("us-east-1".into(), "https://dynamodb.us-east-1.amazonaws.com:443".into()));
        let china = store(&[(TABLE, "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/traces")]);
        assert_eq!(china.endpoint.host(), "dynamodb.cn-north-1.amazonaws.com.cn");
        let local =
            [("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:2")];
        assert_eq!(store(&[&[(TABLE, "traces")], &local[..]].concat()).endpoint.port(), 2);
        assert_eq!(store(&[(TABLE, "traces"), local[0]]).endpoint.port(), 1);
    }

    #[test]
    fn it_stands_beside_what_else_is_named_and_else_alone() {
        let names = |pairs: &[(&str, &str)]| {
            let (config, notices) = read(&[&[(TABLE, "traces")], pairs].concat());
            let names: Vec<String> = config.exports.iter().map(ToString::to_string).collect();
            (names.join(" "), notices.into_iter().map(|notice| notice.message).collect::<String>())
        };
        let endpoint = "THROUGHLINE_EXPORT_ENDPOINT";
        assert_eq!(names(&[]), ("dynamodb:traces".into(), String::new()));
        assert_eq!(names(&[(endpoint, "stdout,http://one")]).0, "stdout http://one:80 dynamodb:traces");
        assert_eq!(names(&[(endpoint, "http://a,http://b,http://c,http://d")]).0.split(' ').count(), 5);
        let (used, said) = names(&[(endpoint, "nonsense")]);
        assert_eq!(used, "dynamodb:traces");
        assert!(said.contains("spans go to the trace store alone"), "{said}");
    }

    #[test]
    fn how_long_and_by_what_is_said() {
        let said = store(&[(TABLE, "traces"), (TTL_DAYS, "3"), (INDEX, "user.id, tenant,")]);
        assert_eq!(
            (said.retention, said.index.join(" ").as_str()),
            (Duration::from_secs(259_200), "user.id tenant")
        );
        assert_eq!(store(&[(TABLE, "traces"), (INDEX, "none")]).index, [""; 0]);
        let (_, notices) = read(&[(TABLE, "traces"), (TTL_DAYS, "0"), (INDEX, "a,b,c,d,e,f,g,h,i")]);
        assert_eq!(notices.iter().map(|notice| notice.variable).collect::<Vec<_>>(), [TTL_DAYS, INDEX]);
    }

    #[test]
    fn what_is_no_table_is_told_and_spans_go_to_stdout() {
        for (table, more, told) in [
            ("t", &[][..], "neither the name"),
            ("a table", &[], "neither the name"),
            ("arn:aws:dynamodb:us-east-1:1:table/", &[], "not the ARN of a table"),
            ("arn:aws:s3:::traces", &[], "not the ARN of a table"),
            ("arn:aws:dynamodb:evil.example/:1:table/traces", &[], "not the ARN of a table"),
            ("traces", &[("AWS_REGION", "")], "AWS_REGION"),
            ("traces", &[("AWS_ACCESS_KEY_ID", "")], "AWS_ACCESS_KEY_ID"),
            ("traces", &[("AWS_ENDPOINT_URL", "nonsense")], "AWS_ENDPOINT_URL"),
        ] {
            let (config, notices) = read(&[&[(TABLE, table)], more].concat());
            assert_eq!(config.exports, [Export::Stdout], "{table} {more:?}");
            let [notice, default] = notices.as_slice() else { panic!("two lines, not {notices:?}") };
            assert!(notice.warning && notice.message.contains(told), "{notice:?}");
            assert!(!default.warning && default.variable == "THROUGHLINE_EXPORT_ENDPOINT");
        }
    }
}
