//! Owners as a container knows them, and as the host does: they differ with a user namespace (user_namespaces(7)).

use serde::Deserialize;

/// Ids from the first number on, which are those from the second one on outside, so many of them.
type Range = (u32, u32, u32);

/// The maps of a user namespace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owners {
    uids: Vec<Range>,
    gids: Vec<Range>,
}

/// Whom all belongs to that the user namespace has no id for: /proc/sys/kernel/overflowuid.
const NOBODY: u32 = 65534;

impl Owners {
    /// Who that is on the host; nobody where the container has no such id.
    pub fn outside(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        let turned = |&(inside, outside, count): &Range| (inside, outside, count);
        Some((mapped(self.uids.iter().map(turned), uid)?, mapped(self.gids.iter().map(turned), gid)?))
    }

    /// Who that is in the container.
    pub fn inside(&self, uid: u32, gid: u32) -> (u32, u32) {
        let turned = |&(inside, outside, count): &Range| (outside, inside, count);
        let of = |ranges: &[Range], id| mapped(ranges.iter().map(turned), id).unwrap_or(NOBODY);
        (of(&self.uids, uid), of(&self.gids, gid))
    }
}

fn mapped(mut ranges: impl Iterator<Item = Range>, id: u32) -> Option<u32> {
    ranges.find_map(|(from, to, count)| to.checked_add(id.checked_sub(from).filter(|&at| at < count)?))
}

#[cfg(test)]
mod tests {
    use super::Owners;

    #[test]
    fn owners_are_mapped_in_both_directions() {
        let owners = Owners { uids: vec![(0, 100_000, 1000), (2000, 5, 1)], gids: vec![(0, 200_000, 10)] };
        assert_eq!(owners.outside(999, 9), Some((100_999, 200_009)));
        assert_eq!(owners.outside(2000, 0), Some((5, 200_000)));
        assert_eq!(owners.outside(1000, 0), None);
        assert_eq!(owners.outside(0, 10), None);
        assert_eq!(owners.inside(100_999, 200_009), (999, 9));
        assert_eq!(owners.inside(5, 7), (2000, 65534));
    }
}
