//! Groups that were written and are read again.

use super::*;
use crate::protocol::consumer_protocol_subscription::ConsumerProtocolSubscription;
use crate::protocol::writer::Writer;

const STABLE: &str = "> join new=a
    1 joined g1 range a leads [a]
    > join new=b
    > join a
    3 joined g2 range a leads [a b]
    2 joined g2 range a leads []
    > sync b 2
    > sync a 2 for:a=x for:b=y
    write 0 g2 leader=a [a=x b=y]
    > written 0
    5 assigned 'x'
    4 assigned 'y'\n";

#[test]
fn a_stable_group_goes_on() {
    check(&format!(
        "{STABLE}
         > wait 9000
         > restart
         Stable g2 [a b]
         > wait 9999
         > beat a 2
         6 NONE
         > sync b 2
         7 assigned 'y'
         > wait 1
         > state
         PreparingRebalance g2 [a]
         > join a
         8 joined g3 range a leads [a]"
    ));
    check(
        "> restart
         Empty g0 []
         > join new=a
         1 joined g1 range a leads [a]",
    );
}

#[test]
fn a_group_that_has_become_too_large_is_rebalanced() {
    let mut world = world();
    for command in STABLE.lines().filter_map(|line| line.trim().strip_prefix("> ")) {
        world.run(command);
    }
    world.settings.members_max = 1;
    world.run("restart");
    assert_eq!(world.group.deadline(), Some(world.now));
    world.run("wait 0");
    assert_eq!(world.run("join b"), [] as [&str; 0]);
    assert_eq!(
        world.run("join a"),
        ["7 GROUP_MAX_SIZE_REACHED ''", "6 joined g3 range b leads [b]"]
    );
}

#[test]
fn a_record_that_names_a_member_twice_is_survived() {
    let member = MemberMetadata {
        member_id: "a".to_owned(),
        instance_id: Some("i".to_owned()),
        client_id: String::new(),
        client_host: String::new(),
        rebalance_timeout_ms: -1,
        session_timeout_ms: 10_000,
        subscription: Vec::new(),
        assignment: Vec::new(),
    };
    let metadata = GroupMetadata {
        group: "g".to_owned(),
        protocol_type: "consumer".to_owned(),
        generation: 7,
        protocol: None,
        leader: Some("nobody".to_owned()),
        state_since_ms: -1,
        members: vec![
            member.clone(),
            MemberMetadata { member_id: "b".to_owned(), ..member.clone() },
            MemberMetadata { instance_id: None, ..member },
        ],
    };
    let group = Group::restore(metadata, Monotonic(0));
    group.roster.assert_consistent();
    assert_eq!(group.roster.len(), 1);
    assert!(group.is_leader("a"));
    let rebalance_timeout = group.roster.rebalance_timeout();
    assert_eq!(rebalance_timeout, Duration::from_secs(10), "-1 stands for the session timeout");
}

#[test]
fn topics_are_known_where_subscriptions_can_be_read() {
    let mut writer = Writer::new(Vec::new());
    writer.i16(1);
    let subscription = ConsumerProtocolSubscription {
        topics: vec!["t".into()],
        ..ConsumerProtocolSubscription::default()
    };
    subscription.encode(&mut writer, 1).expect("a plain subscription");
    let readable = writer.into_parts().0;
    let table = [
        ("consumer", readable.clone(), true, true, false),
        ("consumer", vec![1], false, true, true),
        ("connect", readable, false, false, false),
    ];
    for (protocol_type, subscription, known, reads_t, reads_u) in table {
        let mut world = world();
        assert!(!world.group.subscribes_to("t"));
        let mut join = join(&format!("new=a type={protocol_type}"));
        join.protocols = vec![("range".to_owned(), subscription)];
        world.step(Event::Join(Ticket(1), join));
        let restored = Group::restore(world.group.metadata(|_| Vec::new()), Monotonic(0));
        for group in [&world.group, &restored] {
            assert_eq!(group.knows_its_topics(), known);
            assert_eq!(group.subscribes_to("t"), reads_t);
            assert_eq!(group.subscribes_to("u"), reads_u);
            assert_eq!(group.can_be_deleted(), Err(ErrorCode::NonEmptyGroup));
            assert_eq!(group.can_lose_offsets().is_ok(), protocol_type == "consumer");
        }
    }
}

#[test]
fn an_administrator_sees_the_group() {
    let mut world = world();
    world.run("join new=a inst=i meta=s");
    world.run("sync a 1 for:a=x");
    let described = world.group.description();
    assert_eq!((described.state, described.protocol.as_str()), ("CompletingRebalance", ""));
    assert!(described.members.iter().all(|member| member.metadata.is_empty()));
    let held_bytes = world.group.held_bytes();
    world.run("written 0");
    assert_eq!(world.group.held_bytes(), held_bytes + 1, "the assignment is one byte");
    let described = world.group.description();
    assert_eq!((described.state, described.protocol.as_str()), ("Stable", "range"));
    let member = &described.members[0];
    assert_eq!(member.instance_id.as_deref(), Some("i"));
    assert_eq!((member.metadata.as_slice(), member.assignment.as_slice()), (&b"s"[..], &b"x"[..]));
    let listed = world.group.listed();
    assert_eq!((listed.state, listed.group_type), ("Stable", "classic"));
    assert_eq!(listed.protocol_type, "consumer");
}
