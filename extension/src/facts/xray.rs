//! X-Ray's header, as `platform.start` has it
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XRay {
    /// `Root`, in OpenTelemetry's form.
    pub trace_id: [u8; 16],
    /// `Parent`, where somebody has recorded it: of a trace that is not sampled (`Sampled=0`) nobody has, and a span under
    /// it would look like one of which the rest was lost.
    pub parent: Option<[u8; 8]>,
}

/// Reads `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
pub fn parse(header: &str) -> Option<XRay> {
    let part =
        |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (time, rest) = part("Root")?.strip_prefix("1-")?.split_once('-')?;
    let trace_id = (time.len() == 8 && rest.len() == 24).then(|| hex::<16>(&format!("{time}{rest}")))??;
    let parent = part("Parent").filter(|_| part("Sampled") == Some("1")).and_then(hex::<8>);
    Some(XRay { trace_id, parent })
}

/// An id in hexadecimal digits; zeros are none.
pub fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut id = [0; N];
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(id).filter(|id| *id != [0; N])
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    #[test]
    fn headers_of_the_developer_guide_are_read() {
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let read = parse(&format!("{root};Parent=53995c3f42cd8ad8;Sampled=1")).expect("read");
        assert_eq!(read.trace_id[..5], [0x57, 0x59, 0xe9, 0x88, 0xbd]);
        assert_eq!(read.parent, Some([0x53, 0x99, 0x5c, 0x3f, 0x42, 0xcd, 0x8a, 0xd8]));
        for tail in [
            "",
            ";Sampled=1",
            ";Parent=53995c3f42cd8ad8;Sampled=0",
            ";Parent=0;Sampled=1",
            ";Parent=53995c3f42cd8ad8",
        ] {
            let read = parse(&format!("{root}{tail}")).expect("read");
            assert_eq!(read.parent, None, "{tail}");
        }
        for header in [
            "",
            "Root=",
            "Root=1-5759e988",
            "Root=1-00000000-000000000000000000000000",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(header in ".*", rest in "\\PC{24}") {
            let _ = (parse(&header), parse(&format!("Root=1-5759e988-{rest}")));
        }
    }
}
