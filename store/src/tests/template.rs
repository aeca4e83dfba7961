//! `template.yaml` has the same table.

use super::*;

#[tokio::test]
async fn the_template_defines_the_table_that_is_made() {
    let template = include_str!("../../../template.yaml");
    let table = Table::new().await;
    let described =
        table.client.describe_table().table_name(&table.name).send().await.unwrap().table.unwrap();
    let (_, rest) = template.split_once("\n  TraceTable:\n").unwrap();
    let definition: Vec<&str> =
        rest.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    let lines: Vec<&str> =
        definition.iter().map(|line| line.trim()).filter(|line| !line.starts_with('#')).collect();
    let definition = lines.join("\n");
    let mut expected = vec!["BillingMode: PAY_PER_REQUEST".to_owned()];
    let billing = described.billing_mode_summary().unwrap().billing_mode().unwrap();
    assert_eq!(billing.as_str(), "PAY_PER_REQUEST");
    let attributes = described.attribute_definitions().iter().map(|attribute| {
        format!(
            "- AttributeName: {}\nAttributeType: {}",
            attribute.attribute_name(),
            attribute.attribute_type().as_str()
        )
    });
    expected.push(format!("AttributeDefinitions:\n{}", attributes.collect::<Vec<_>>().join("\n")));
    let keys = described.key_schema().iter().map(|key| {
        format!("- AttributeName: {}\nKeyType: {}", key.attribute_name(), key.key_type().as_str())
    });
    expected.push(format!("KeySchema:\n{}", keys.collect::<Vec<_>>().join("\n")));
    expected.push("TimeToLiveSpecification:\nAttributeName: ttl\nEnabled: true".to_owned());
    for part in expected {
        assert!(definition.contains(&part), "{part}\nis not in\n{definition}");
    }
    assert!(described.global_secondary_indexes().is_empty() && !definition.contains("SecondaryIndexes"));
}
