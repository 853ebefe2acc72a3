//! The sizes of the blocks of memory: each block has that of its class.

/// Classes below this size are 16 bytes apart; above, four to each doubling.
const SMALL: usize = 1024;
const SMALL_CLASSES: usize = SMALL / 16 + 1;
pub const CLASSES: usize = SMALL_CLASSES + 4 * 16;
/// The class of a block of `total` bytes, header included, and the class's size; sizes are multiples of 16.
pub fn class_of(total: usize) -> (usize, usize) {
    if total <= SMALL {
        let class = total.div_ceil(16);
        return (class, class * 16);
    }
    let doubling = (usize::BITS - 1 - (total - 1).leading_zeros()) as usize;
    let step = 1 << (doubling - 2);
    let quarter = (total - 1 - (1 << doubling)) / step;
    (SMALL_CLASSES + (doubling - 10) * 4 + quarter, (1 << doubling) + (quarter + 1) * step)
}

pub fn size_of_class(class: usize) -> usize {
    if class < SMALL_CLASSES {
        return class * 16;
    }
    let (doubling, quarter) = ((class - SMALL_CLASSES) / 4 + 10, (class - SMALL_CLASSES) % 4);
    (1 << doubling) + (quarter + 1) * (1 << (doubling - 2))
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, class_of, size_of_class};

    #[test]
    fn a_class_holds_every_size_that_is_put_into_it() {
        for total in (16..5000).chain([65536, 65537, 1 << 20, (1 << 20) + 1, 40 << 20]) {
            let (class, bytes) = class_of(total);
            assert!(bytes >= total && bytes % 16 == 0 && class < CLASSES, "{total} in {bytes}");
            assert_eq!(size_of_class(class), bytes, "{total}");
        }
    }
}
