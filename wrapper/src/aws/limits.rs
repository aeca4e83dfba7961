//! Sizes at which services refuse what is sent. Some have risen over the years, by region or by the resource's own
//! setting, and which holds we don't know: what was under any of them before is under it afterwards.

/// How many bytes may be added to `size` without passing a limit that it is within; none beyond the last.
pub(super) fn room(size: usize, limits: &[usize]) -> usize {
    limits.iter().find(|limit| size <= **limit).map_or(0, |limit| limit - size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_carried_over_a_limit_that_it_was_under() {
        let limits = [256, 1024];
        assert_eq!(room(251, &limits), 5);
        assert_eq!(room(256, &limits), 0);
        assert_eq!(room(257, &limits), 1024 - 257);
        assert_eq!(room(1025, &limits), 0);
    }
}
