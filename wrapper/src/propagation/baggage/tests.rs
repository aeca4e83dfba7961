use proptest::prelude::*;

use super::*;

#[test]
fn members_are_read_and_written_with_reserved_ones_first() {
    let baggage = Baggage::parse("tenant = a%20b ;prop=1, correlation.id=c-1,broken,=x, sp ace=1");
    assert_eq!(baggage.get("tenant"), Some("a b"));
    assert_eq!(baggage.header().as_deref(), Some("correlation.id=c-1,tenant=a%20b"));
}

#[test]
fn too_long_or_too_many_is_not_read_at_all() {
    assert_eq!(Baggage::parse(&format!("a={}", "x".repeat(MAX_READ))), Baggage::default());
    let many = (0..=MAX_MEMBERS).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    assert_eq!(Baggage::parse(&many), Baggage::default());
}

#[test]
fn what_does_not_fit_is_left_out_and_the_reserved_stay() {
    let mut baggage = Baggage::default();
    assert!(!baggage.set("too-big", &"x".repeat(MAX_WRITTEN)));
    assert!(!baggage.set(&"k".repeat(MAX_WRITTEN), ""), "too long without a value");
    assert!(baggage.set("big", &"x".repeat(MAX_WRITTEN - 20)));
    assert!(baggage.set("small", "y"));
    assert!(baggage.set("correlation.id", "c-1"));
    assert_eq!(baggage.header().as_deref(), Some("correlation.id=c-1,small=y"));
}

#[test]
fn every_reserved_member_fits_beside_the_longest_others() {
    let mut baggage = Baggage::default();
    assert!(!baggage.set("correlation.id", &"c".repeat(MAX_ID + 1)));
    assert!(baggage.set("correlation.id", &"c".repeat(MAX_ID)));
    assert!(!baggage.set("throughline.debug", &"1".repeat(MAX_MARK + 1)));
    assert!(!baggage.set("user.id", &"u".repeat(MAX_WHO)));
    assert!(baggage.set("user.id", "u"));
    assert!(baggage.set("user.test", "true"));
    assert!(baggage.set("account.plan", "gold"));
    let rest = MAX_WHO - "user.id=u,user.test=true,account.plan=gold,account.id=".len();
    assert!(!baggage.set("account.id", &"a".repeat(rest + 1)));
    assert!(baggage.set("account.id", &"a".repeat(rest)));
    for mark in ["throughline.debug", "throughline.dry-run"] {
        assert!(baggage.set(mark, "false") && baggage.set(mark, "true"));
    }
    baggage.arrive(&"e".repeat(500), u16::MAX);
    let header = baggage.header().unwrap();
    assert_eq!(Baggage::parse(&header).members.len(), RESERVED.len(), "{header}");
    assert!(header.len() <= MAX_RESERVED);
}

#[test]
fn as_many_members_as_there_may_be_leave_room_for_the_reserved() {
    let many = (0..MAX_MEMBERS).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let mut baggage = Baggage::parse(&many);
    baggage.arrive("sqs payments", 3);
    assert!(baggage.set("throughline.dry-run", "true") && !baggage.set("another", "v"));
    assert_eq!((baggage.hops(), baggage.marked(Baggage::DRY_RUN)), (4, true));
    assert!(baggage.header().unwrap().starts_with("throughline.entry=sqs%20payments,throughline.hops=4"));
}

#[test]
fn what_is_set_travels_or_is_refused() {
    let mut baggage = Baggage::parse("correlation.id=c-1");
    assert!(baggage.set_to_travel("1k", &"x".repeat(900)));
    assert!(!baggage.set_to_travel("900", &"y".repeat(900)) && baggage.get("900").is_none());
    assert!(!baggage.set_to_travel("1k", &"x".repeat(1010)) && baggage.get("1k").unwrap().len() == 900);
    assert!(baggage.set_to_travel("small", "z") && baggage.set_to_travel("user.id", "u"));
    assert!(baggage.header().unwrap().ends_with(",small=z"));
}

#[test]
fn marks_are_not_for_the_public() {
    let baggage =
        Baggage::parse("a=1, throughline.debug = 1,Throughline.Dry-Run=1;p,user.id=u,throughline.hops=9");
    assert_eq!(baggage.without_ours(), Baggage::parse("a=1,user.id=u"));
}

#[test]
fn the_first_function_is_the_entry_and_every_one_counts() {
    let mut baggage = Baggage::parse("user.id=u");
    baggage.arrive("http POST /orders", baggage.hops());
    baggage.arrive("sqs payments", baggage.hops());
    let header = "throughline.entry=http%20POST%20/orders,throughline.hops=2,user.id=u";
    assert_eq!(baggage.header().as_deref(), Some(header));
    let mut wrong = Baggage::parse("throughline.hops=many");
    wrong.arrive("", u16::MAX);
    assert_eq!(wrong.hops(), u16::MAX);
}

#[test]
fn a_mark_is_one_of_two_words() {
    for (value, marked) in [("true", true), ("1", true), ("false", false), ("0", false), ("", false)] {
        assert_eq!(Baggage::parse(&format!("throughline.debug={value}")).marked(Baggage::DEBUG), marked);
    }
}

#[test]
fn a_key_that_is_no_token_is_refused() {
    let mut baggage = Baggage::default();
    assert!(!baggage.set("", "v") && !baggage.set("a b", "v") && !baggage.set("a,b", "v"));
    assert_eq!(baggage.header(), None);
}

#[test]
fn a_token_has_the_characters_of_rfc_9110() {
    for byte in 0..=127_u8 {
        let due = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is_token(char::from(byte).encode_utf8(&mut [0; 4])), due, "{byte}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(header in ".*") {
        let baggage = Baggage::parse(&header);
        prop_assert!(baggage.header().unwrap_or_default().len() <= MAX_WRITTEN);
    }

    #[test]
    fn any_entry_leaves_room_for_the_user(source in ".*", user in "[a-z]{0,174}") {
        let mut baggage = Baggage::parse(&format!("user.id={user}"));
        baggage.arrive(&source, 0);
        let read = Baggage::parse(&baggage.header().unwrap());
        prop_assert!(source.starts_with(read.get(Baggage::ENTRY).unwrap()));
        prop_assert_eq!(read.get(Baggage::USER_ID), Some(user.as_str()));
    }

    #[test]
    fn any_value_survives_a_round_trip(value in ".{0,80}") {
        let mut baggage = Baggage::default();
        baggage.set("key", &value);
        let header = baggage.header().unwrap();
        prop_assert!(header.is_ascii() && !header.contains('"'));
        let read = Baggage::parse(&header);
        prop_assert_eq!(read.get("key"), Some(value.as_str()));
    }
}
