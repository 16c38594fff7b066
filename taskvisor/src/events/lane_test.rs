//! Tests of the queue of a reader.

use super::*;
use crate::EventKind;

fn events(from: u64, n: u64) -> Arc<Vec<Event>> {
    let kind = EventKind::TaskStarting;
    Arc::new((from..from + n).map(|seq| Event { seq, ..Event::new(kind) }).collect())
}

fn batch(lane: &mut Lane) -> Option<Batch> {
    match lane.poll_next() {
        Poll::Ready(Some(Entry::Events(batch))) => Some(batch),
        _ => None,
    }
}

fn seqs(batch: &Batch) -> Vec<u64> {
    batch.events().iter().map(|event| event.seq).collect()
}

#[test]
fn keeps_the_oldest_and_counts_the_rest() {
    let mut lane = Lane::new(4);
    lane.offer(&events(1, 3));
    lane.offer(&events(4, 3));
    assert_eq!(lane.take_lost(), Some(2));
    assert_eq!(lane.take_lost(), None);
    lane.lose(1);
    assert_eq!((std::mem::take(&mut lane.uncounted), lane.uncounted), (3, 0));
    assert_eq!(lane.take_lost(), Some(1));

    let first = batch(&mut lane).unwrap();
    assert_eq!(first.events().len(), 3);
    first.one_done();
    lane.offer(&events(7, 3));
    assert_eq!(lane.take_lost(), Some(2), "one was done, so there was room for one");
    assert_eq!(batch(&mut lane).unwrap().events()[0].seq, 4);
    assert_eq!(batch(&mut lane).unwrap().events()[0].seq, 7);
    assert!(!lane.has_delivered(9));
    assert!(lane.poll_next().is_pending());
    assert!(lane.has_delivered(9));
}

#[test]
fn one_that_stays_behind_is_not_waited_for_until_it_has_caught_up() {
    let mut lane = Lane::new(4);
    let start = Instant::now();
    lane.offer(&events(1, 4));
    assert!(lane.is_congested());
    lane.was_waited_for(start);
    lane.was_waited_for(start + STALLED - Duration::from_millis(1));
    assert!(lane.is_congested());
    lane.was_waited_for(start + STALLED);
    assert!(!lane.is_congested());

    assert!(lane.poll_next().is_ready());
    lane.offer(&events(5, 4));
    assert!(!lane.is_congested(), "it moves, and is behind all the same");
    while lane.poll_next().is_ready() {}
    lane.offer(&events(9, 4));
    assert!(lane.is_congested());
}

#[test]
fn one_that_has_caught_up_takes_a_burst_whole() {
    let mut lane = Lane::new(2);
    lane.offer(&events(1, 100));
    assert_eq!(batch(&mut lane).unwrap().events().len(), 100);
    lane.offer(&events(101, 3));
    assert_eq!(lane.take_lost(), Some(3), "now it is behind");
}

#[test]
fn one_of_any_capacity_takes_a_report() {
    for capacity in [1, usize::MAX] {
        let mut lane = Lane::new(capacity);
        lane.insist(&events(1, 1));
        assert_eq!(batch(&mut lane).unwrap().events().len(), 1);
    }
}

#[test]
fn o40_what_a_subscriber_does_not_want_takes_no_room() {
    let mut lane = Lane::new(4);
    lane.sift(Some(Sieve::new(|event| event.kind == EventKind::TaskFailed)));
    let failed = |seq| Event { seq, ..Event::new(EventKind::TaskFailed) };
    lane.insist(&Arc::new(vec![failed(1)]));
    assert_eq!(seqs(&batch(&mut lane).unwrap()), [1]);
    lane.reader = Some(Waker::noop().clone());
    lane.offer(&events(2, 100));
    lane.insist(&events(102, 100));
    assert!(lane.call_reader().is_none() && lane.is_empty() && !lane.is_congested());
    let mixed = (202..212).map(|seq| if seq % 2 == 0 { failed(seq) } else { events(seq, 1)[0].clone() });
    lane.offer(&Arc::new(mixed.collect()));
    assert_eq!(lane.take_lost(), Some(2), "one is in hand, so there is room for three of five");
    assert!(lane.call_reader().is_some());
    assert_eq!(seqs(&batch(&mut lane).unwrap()), [202, 204, 206]);
    assert!(lane.poll_next().is_pending() && lane.has_delivered(211));
    lane.reader = Some(Waker::noop().clone());
    lane.lose(1);
    assert!(lane.call_reader().is_some(), "it is told of a loss");
    assert_eq!(lane.take_lost(), Some(1));
    lane.closed = true;
    lane.reader = Some(Waker::noop().clone());
    assert!(lane.call_reader().is_some(), "it is told of the end");
}

#[test]
fn diagnostics_that_are_lost_are_not_counted() {
    let mut lane = Lane::new(1);
    lane.offer(&events(1, 1));
    lane.offer(&Arc::new(vec![Event::new(EventKind::SubscriberOverflow)]));
    assert_eq!(lane.take_lost(), None);
}

#[test]
fn k5i_a_stream_is_told_of_a_loss_in_its_place() {
    let stream = (Lane::of_stream(4), "1 2 3 4 lost:2 7 lost:3 11", 0);
    for (mut lane, told, uncounted) in [stream, (Lane::new(4), "1 2 3 4 7 11 lost:5", 5)] {
        lane.offer(&events(1, 3));
        lane.offer(&events(4, 2));
        lane.lose(1);
        let first = batch(&mut lane).unwrap();
        let mut heard: Vec<_> = seqs(&first).iter().map(u64::to_string).collect();
        (0..3).for_each(|_| first.one_done());
        lane.capacity = 2;
        lane.offer(&events(7, 2));
        lane.lose(2);
        lane.capacity = 4;
        lane.offer(&events(11, 1));
        lane.closed = true;
        while let Poll::Ready(Some(next)) = lane.poll_next() {
            match next {
                Entry::Events(batch) => heard.extend(seqs(&batch).iter().map(u64::to_string)),
                Entry::Lost(lost) => heard.push(format!("lost:{lost}")),
            }
        }
        assert!(matches!(lane.poll_next(), Poll::Ready(None)));
        assert_eq!(heard.join(" "), told);
        assert_eq!((std::mem::take(&mut lane.uncounted), lane.backlog()), (uncounted, 0));
    }
}

#[test]
fn k5q_what_a_worker_did_not_come_to_is_next_for_another() {
    let mut lane = Lane::new(8);
    lane.offer(&events(1, 3));
    lane.offer(&events(4, 2));
    for (given, next) in [(1, vec![2, 3]), (0, vec![2, 3]), (2, vec![4, 5]), (1, vec![5])] {
        let first = batch(&mut lane).unwrap();
        (0..given).for_each(|_| first.one_done());
        drop(lane.put_back(first));
        assert_eq!(lane.backlog(), 6 - usize::try_from(next[0]).unwrap());
        assert!(lane.has_delivered(next[0] - 1) && !lane.has_delivered(next[0]));
        let second = batch(&mut lane).unwrap();
        assert_eq!(seqs(&second), next);
        drop(lane.put_back(second));
    }
}
