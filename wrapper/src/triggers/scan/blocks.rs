//! Where a string or a nested value ends, found 64 bytes at a time.
//!
//! Each block of the text becomes bit masks (a bit a byte), and quotes, escapes and brackets are told apart by
//! arithmetic on these: the method of Langdale and Lemire, "Parsing gigabytes of JSON per second"
//! (<https://arxiv.org/abs/1902.08318>, section 3.1). The cost per byte is the same however dense the tokens are.

use wide::{u8x16, u8x64};

const BLOCK: usize = 64;

/// Where the string ends whose quote stands at `start`: behind its other quote. And whether it has escapes.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    // Names and most values are short.
    let mut at = start + 1;
    for _ in 0..4 {
        let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { break };
        let chunk = u8x16::new(*chunk);
        let found = chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'));
        let found = found.to_bitmask();
        if found != 0 {
            at += found.trailing_zeros() as usize;
            if bytes.get(at) == Some(&b'"') {
                return Some((at + 1, false));
            }
            break;
        }
        at += 16;
    }
    let mut escapes = Escapes::default();
    let mut escaped = false;
    while at < bytes.len() {
        let block = block(bytes, at);
        let backslashes = mask(block, b'\\');
        let quotes = mask(block, b'"') & !escapes.next(backslashes);
        if quotes != 0 {
            let end = quotes.trailing_zeros();
            escaped |= backslashes << (BLOCK as u32 - 1 - end) != 0;
            return Some((at + end as usize + 1, escaped));
        }
        escaped |= backslashes != 0;
        at += BLOCK;
    }
    None
}

/// Where the object or list ends whose bracket stands at `start`: behind the bracket that closes it. Whether the
/// kinds of brackets match is not looked at.
// Not inlined: whoever reads a number or a short string would pay for its registers.
#[inline(never)]
pub(super) fn container_end(bytes: &[u8], start: usize) -> Option<usize> {
    // Nothing in it, as often.
    if matches!(bytes.get(start + 1), Some(b']' | b'}')) {
        return Some(start + 2);
    }
    let mut at = start;
    let mut depth = 0_usize; // the bracket at `start` is the first to count
    let mut escapes = Escapes::default();
    let mut in_string = 0_u64;
    while at < bytes.len() {
        let block = block(bytes, at);
        let quotes = mask(block, b'"') & !escapes.next(mask(block, b'\\'));
        // From each quote to the one before the next: a string without its closing quote.
        let strings = prefix_xor(quotes) ^ in_string;
        in_string = if strings >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        // Brackets and braces of one direction differ in one bit.
        let folded = block | u8x64::splat(0x20);
        let opens = mask(folded, b'{') & !strings;
        let mut brackets = (opens | mask(folded, b'}')) & !strings;
        // One by one: there are few in a block, and counting bits takes a dozen instructions without `popcnt`.
        while brackets != 0 {
            let bracket = brackets.trailing_zeros();
            if opens >> bracket & 1 == 1 {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return Some(at + bracket as usize + 1);
                }
            }
            brackets &= brackets - 1;
        }
        at += BLOCK;
    }
    None
}

/// The next bytes, with spaces where the text is over.
fn block(bytes: &[u8], at: usize) -> u8x64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => u8x64::new(*block),
        None => last_block(rest),
    }
}

#[cold]
#[inline(never)]
fn last_block(rest: &[u8]) -> u8x64 {
    let mut block = [b' '; BLOCK];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u8x64::new(block)
}

fn mask(block: u8x64, byte: u8) -> u64 {
    block.simd_eq(u8x64::splat(byte)).to_bitmask()
}

/// Every bit that has an odd number of ones at and below it.
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Which bytes are escaped, from block to block.
#[derive(Default)]
struct Escapes {
    /// 1 if the first byte of the next block is.
    carry: u64,
}

impl Escapes {
    /// The bytes of a block that stand behind a backslash which is not itself escaped.
    fn next(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        if backslashes == 0 {
            return std::mem::take(&mut self.carry);
        }
        // In a run of backslashes every other one escapes. Subtraction carries through a run from its begin on, and so
        // tells whether it began at an odd or an even place.
        let begins = backslashes & !self.carry;
        let escaping_or_behind = ((begins << 1 | ODD).wrapping_sub(begins)) ^ ODD;
        let escaped = escaping_or_behind ^ (backslashes | self.carry);
        self.carry = (escaping_or_behind & backslashes) >> (BLOCK - 1);
        escaped
    }
}
