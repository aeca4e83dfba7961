//! FNV-1a with a finalizer: shards, digests and sketches are kept in the table, so it must be the same for ever and in
//! any language (<http://www.isthe.com/chongo/tech/comp/fnv/>; the finalizer is that of MurmurHash3, without which
//! the upper bits of short texts hardly differ).

/// The hash of `parts`, each with its end: `["ab", "c"]` is another than `["a", "bc"]`.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Over how many partitions that are filled in the order of time their items are spread.
pub const SHARDS: u8 = 16;

/// Over how many of them failures are spread: they are rarer, and who asks for those of all functions asks each shard of
/// each function.
pub const FAILURE_SHARDS: u8 = 4;

/// Which of them holds what has this name.
pub(crate) fn shard<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u8 {
    // The remainder is below 16.
    (hash(parts) % u64::from(SHARDS)) as u8
}

/// Which of them holds a run, as its card names it; of its failures the remainder does.
pub(crate) fn shard_of_run(request_id: &str, span_id: &str) -> u8 {
    shard([request_id.as_bytes(), span_id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(format!("{:016x}", hash([b"u-1042".as_slice()])), "c59760ab8b4736de");
        assert_ne!(hash([b"ab".as_slice(), b"c"]), hash([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn shards_are_filled_evenly() {
        let mut filled = [0_u32; SHARDS as usize];
        for n in 0..16_000_u32 {
            filled[shard([n.to_string().as_bytes()]) as usize] += 1;
        }
        assert!(filled.iter().all(|count| (900..1100).contains(count)), "{filled:?}");
    }
}
