//! Baggage that was just read: the messages of a batch mostly have the same, and a copy costs a tenth of reading it.

use std::cell::RefCell;

use super::Baggage;

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

/// Reads a header as [`Baggage::parse`] does.
pub(super) fn parse(header: &str) -> Baggage {
    let last = LAST.try_with(|last| Some(last.try_borrow_mut().ok()?.or_read(header, Baggage::parse)));
    last.ok().flatten().unwrap_or_else(|| Baggage::parse(header))
}

/// A header and what it says. It is found by the whole header alone, so nobody gets another's.
#[derive(Debug, Default)]
struct Last {
    header: String,
    baggage: Baggage,
}

impl Last {
    fn or_read(&mut self, header: &str, read: impl FnOnce(&str) -> Baggage) -> Baggage {
        if self.header != header {
            self.baggage = read(header);
            header.clone_into(&mut self.header);
        }
        self.baggage.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_once_in_a_row() {
        let mut read = Vec::new();
        let mut last = Last::default();
        for header in ["a=1", "a=1", "a=2", "a=2", "a=1", ""] {
            let baggage = last.or_read(header, |header| {
                read.push(header.to_owned());
                Baggage::parse(header)
            });
            assert_eq!((&baggage, parse(header)), (&Baggage::parse(header), baggage.clone()), "{header}");
        }
        assert_eq!(read, ["a=1", "a=2", "a=1", ""]);
    }
}
