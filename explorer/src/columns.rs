//! Text by the columns that it takes in a terminal, where `名` takes two and an accent of its own none. Whatever is cut,
//! filled up or broken into lines is so here.

use console::measure_text_width;

use crate::trace::Style;

/// What stands between texts that are told on one line.
pub(crate) const BETWEEN: &str = "  ";
/// The most characters that are kept of a column: more are accents upon accents.
const STACKED: usize = 8;

/// How a text looks.
pub(crate) type Look = fn(Style, &str) -> String;
/// A text, and how it looks.
pub(crate) type Piece = (String, Look);

/// The columns of a text. Colours take none.
pub(crate) fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// As many columns of it as there is room for.
pub(crate) fn cut(text: &str, room: usize) -> String {
    let most = room.saturating_add(1).saturating_mul(STACKED);
    let start = text.char_indices().nth(most).map_or(text, |(at, _)| text.get(..at).unwrap_or_default());
    if start.len() == text.len() && width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in start.chars() {
        kept.push(c);
        if width(&kept) >= room {
            kept.pop();
            break;
        }
    }
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// Filled up with blanks.
pub(crate) fn padded(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(width(text))))
}

/// The same, to the right.
pub(crate) fn padded_left(text: &str, room: usize) -> String {
    format!("{}{text}", " ".repeat(room.saturating_sub(width(text))))
}

/// Lines of words that fit; a word that is longer than a line stays whole, for it may be copied.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Lines that fit, whatever is in them. No word is broken that fits on a line, and of a longer one nothing with a number in
/// it, for ids are copied; what is longer than a line fills up the line before.
pub(crate) fn folded(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let end = fitting(rest, room);
        let (line, after) = rest.split_at(end);
        let Some(next) = after.chars().next() else {
            lines.extend(Some(line.to_owned()).filter(|line| lines.is_empty() || !line.is_empty()));
            return lines;
        };
        // A character that is wider than the room is left out.
        let (at, from) = if end == 0 { (0, next.len_utf8()) } else { (break_at(line, after, room), 0) };
        lines.extend(Some(line[..at].trim_end_matches(' ').to_owned()).filter(|line| !line.is_empty()));
        rest = rest[at + from..].trim_start_matches(' ');
    }
}

/// How much of the beginning of a text fits, in bytes.
fn fitting(text: &str, room: usize) -> usize {
    let most = room.max(1) * 4 * STACKED;
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.take_while(|end| *end <= most && width(&text[..*end]) <= room).last().unwrap_or_default()
}

/// Where a line ends that is full, before `after`.
fn break_at(line: &str, after: &str, room: usize) -> usize {
    if after.starts_with(' ') {
        return line.len();
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let begins = |is_of: &dyn Fn(char) -> bool| {
        line.char_indices().rev().find(|(_, c)| !is_of(*c)).map_or(0, |(at, c)| at + c.len_utf8())
    };
    let whole = |from: usize, is_of: &dyn Fn(char) -> bool| {
        let end = after.find(|c| !is_of(c)).unwrap_or(after.len());
        format!("{}{}", &line[from..], &after[..end])
    };
    let is_word = |c: char| c != ' ';
    let (word, part) = (begins(&is_word), begins(&is_part));
    let is_id = |part: &str| part.contains(|c: char| c.is_ascii_digit()) && width(part) <= room;
    if word > 0 && (2 * word >= line.len() || width(&whole(word, &is_word)) <= room) {
        word
    } else if part > 0 && is_id(&whole(part, &is_part)) {
        part
    } else {
        line.len()
    }
}

/// Pieces on as many lines as they take, those after the first with this indent. What is longer than a line is
/// [folded].
pub(crate) fn flowed(pieces: &[Piece], indent: &str, style: Style) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut taken = style.width;
    for (text, look) in pieces.iter().filter(|(text, _)| !text.is_empty()) {
        let before = if lines.is_empty() { "" } else { indent };
        if let Some(line) = lines.last_mut()
            && taken + BETWEEN.len() + width(text) <= style.width
        {
            *line = format!("{line}{BETWEEN}{}", look(style, text));
            taken += BETWEEN.len() + width(text);
            continue;
        }
        for part in folded(text, style.width.saturating_sub(indent.len()).max(1)) {
            taken = width(before) + width(&part);
            let before = if lines.is_empty() { "" } else { indent };
            lines.push(format!("{before}{}", look(style, &part)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_and_filled_up_by_columns() {
        assert_eq!([cut("abcdef", 4), cut("abcd", 4), cut("", 0), cut("a", 0)], ["abc…", "abcd", "", ""]);
        assert_eq!(
            [cut("名前です", 5), cut("名前です", 6), cut("名前です", 8)],
            ["名前…", "名前…", "名前です"]
        );
        assert_eq!([padded("名", 4), padded_left("名", 4), padded("abc", 2)], ["名  ", "  名", "abc"]);
        let accents = "e\u{301}".repeat(1000);
        assert_eq!(width(&cut(&accents, 10)), 10);
        assert!(cut(&"\u{301}".repeat(100_000), 10).len() < 1000, "accents alone are cut too");
    }

    #[test]
    fn texts_are_broken_where_they_may_be() {
        assert_eq!(wrapped("a bc  def ghijkl", 6), ["a bc ", "def", "ghijkl"]);
        assert_eq!(folded("a bc  def ghijkl", 6), ["a bc", "def", "ghijkl"]);
        assert_eq!(folded("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(folded("a bcdefghij", 8), ["a bcdefg", "hij"], "no line is left half empty");
        assert_eq!(folded("名前です", 5), ["名前", "です"]);
        assert_eq!(folded("", 5), [""]);
    }

    #[test]
    fn ids_stay_whole() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            folded(&format!("as in trace {trace}, and 3 others"), 40),
            ["as in trace", &*format!("{trace}, and 3"), "others"]
        );
        assert_eq!(
            folded(&format!("trace {trace}, {trace}"), 60),
            [format!("trace {trace},"), trace.to_owned()]
        );
        let payload = format!(r#"{{"order":"{trace}","user":"{trace}"}}"#);
        assert_eq!(
            folded(&payload, 60),
            [&*format!(r#"{{"order":"{trace}","user":""#), &*format!(r#"{trace}"}}"#)]
        );
    }

    #[test]
    fn pieces_flow() {
        let style = Style { width: 16, colour: false };
        let pieces = ["user u-1", "3 ms", "failed", "", "0123456789abcdefgh"];
        let pieces = pieces.map(|text| (text.to_owned(), Style::plain as Look));
        assert_eq!(
            flowed(&pieces, "  ", style),
            ["user u-1  3 ms", "  failed", "  0123456789abcd", "  efgh"]
        );
        let bold = [("a".to_owned(), Style::bold as Look)];
        assert_eq!(flowed(&bold, "", Style { width: 9, colour: true }), ["\u{1b}[1ma\u{1b}[0m"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "[a-c ]{0,40}|.{0,40}|[名é\u{301}\u{fe0f}☺ a]{0,40}", room in 2..50_usize) {
            let text = crate::ask::harmless(&text);
            prop_assert!(width(&cut(&text, room)) <= room);
            prop_assert!(width(&padded(&cut(&text, room), room)) == room);
            for line in folded(&text, room) {
                prop_assert!(width(&line) <= room, "{line:?}");
            }
            let all: String = folded(&text, room).concat().split(' ').collect();
            prop_assert_eq!(all, text.split(' ').collect::<String>(), "nothing is lost");
        }
    }
}
