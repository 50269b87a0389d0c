//! Which groups there are, who is in them, and what they read.

/// A group.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupPlan {
    pub name: &'static str,
    /// Members keep what they own through a rebalance.
    pub cooperative: bool,
    /// The numbers of the topics that it reads.
    pub topics: &'static [u64],
}

/// One of a group's members.
#[derive(Debug, PartialEq, Eq)]
pub struct MemberPlan {
    pub group: &'static GroupPlan,
    /// `group.instance.id` of a static member.
    pub instance: Option<&'static str>,
    pub session_ms: u64,
    pub rebalance_ms: u64,
    /// It stays away between two times in the group, so that the group is empty now and then.
    pub comes_and_goes: bool,
}

/// All groups; their ids lie in several partitions of the offsets topic.
pub const GROUPS: [GroupPlan; 3] = [
    GroupPlan { name: "eager", cooperative: false, topics: &[0, 1, 2, 3, 4] },
    GroupPlan { name: "cooperative", cooperative: true, topics: &[2, 3, 5, 6] },
    GroupPlan { name: "seldom", cooperative: false, topics: &[0, 6] },
];

const fn member(
    group: usize,
    instance: Option<&'static str>,
    session_ms: u64,
    rebalance_ms: u64,
) -> MemberPlan {
    let comes_and_goes = group == 2;
    MemberPlan { group: &GROUPS[group], instance, session_ms, rebalance_ms, comes_and_goes }
}

/// All members of all groups.
pub const MEMBERS: [MemberPlan; 8] = [
    member(0, None, 40, 60),
    member(0, None, 120, 30),
    member(0, Some("first"), 80, 60),
    member(0, Some("second"), 120, 120),
    member(1, None, 40, 60),
    member(1, None, 120, 120),
    member(1, Some("third"), 80, 60),
    member(2, None, 80, 60),
];

/// The longest session or rebalance of any member.
pub const PATIENCE_MS: u64 = 120;
