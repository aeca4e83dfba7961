//! The names of DAZN's lambda-powertools (<https://github.com/getndazn/dazn-lambda-powertools>): they tell which
//! transaction it is and for whom it runs, and in no span.
//!
//! | theirs | as baggage |
//! |---|---|
//! | `x-correlation-id` | `correlation.id` |
//! | any other `x-correlation-…` | under its own name in lower case, which is theirs to read and never one of ours |
//! | `debug-log-enabled: true` | `throughline.debug=true` |
//! | `call-chain-length` | `throughline.hops` |

use super::Baggage;

/// What all names begin with that people choose.
pub(super) const PREFIX: &str = "x-correlation-";

/// Adds what `name`, in lower case, says to `baggage`.
pub(super) fn read(name: &str, value: &str, baggage: &mut Baggage) {
    let value = value.trim();
    match name {
        "x-correlation-id" if !value.is_empty() => baggage.set(Baggage::CORRELATION_ID, value),
        "debug-log-enabled" if value.eq_ignore_ascii_case("true") => baggage.set(Baggage::DEBUG, "true"),
        "call-chain-length" => {
            value.parse::<u32>().is_ok_and(|hops| baggage.set(Baggage::HOPS, &hops.to_string()))
        }
        _ if !value.is_empty()
            && name.strip_prefix(PREFIX).is_some_and(|own| !own.is_empty() && own != "id") =>
        {
            baggage.set(name, value)
        }
        _ => false,
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(members: &[(&str, &str)]) -> Option<String> {
        let mut baggage = Baggage::default();
        for (name, value) in members {
            read(name, value, &mut baggage);
        }
        baggage.header()
    }

    #[test]
    fn ids_become_baggage() {
        let all = [
            ("x-correlation-id", "c-1"),
            ("x-correlation-order-id", "o 1"),
            ("debug-log-enabled", "true"),
            ("call-chain-length", "3"),
            ("awsRequestId", "r-1"),
        ];
        let expected =
            "correlation.id=c-1,throughline.hops=3,throughline.debug=true,x-correlation-order-id=o%201";
        assert_eq!(header(&all).as_deref(), Some(expected));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for (name, value) in [
            ("x-correlation-id", " "),
            ("x-correlation-", "v"),
            ("x-correlation-a", ""),
            ("x-correlation-a b", "v"),
            ("debug-log-enabled", "false"),
            ("debug-log-enabled", "1"),
            ("call-chain-length", "many"),
            ("call-chain-length", "-1"),
            ("user-agent", "v"),
        ] {
            assert_eq!(header(&[(name, value)]), None, "{name}: {value}");
        }
    }

    proptest! {
        #[test]
        fn no_chosen_name_becomes_one_of_ours(name in "[a-z.-]{0,24}", value in ".*") {
            let mut baggage = Baggage::default();
            read(&format!("{PREFIX}{name}"), &value, &mut baggage);
            let header = baggage.header().unwrap_or_default();
            prop_assert!(
                header.is_empty() || header.starts_with(PREFIX) || (name == "id" && header.starts_with("correlation.id="))
            );
        }
    }
}
