//! A reference that computes the counters of a plan from the states of its children.

use std::collections::BTreeMap;

use super::super::{Key, Mode, Phase, Plan, Strategy};

/// Compares a plan without pending actions with a computation over all its children.
pub(super) fn check(plan: &Plan) {
    let roster: Vec<_> = plan.roster.from(0).collect();
    let earlier = earlier(plan, &roster.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let (mut passes, mut holds, mut waits) = (BTreeMap::<Key, bool>::new(), BTreeMap::new(), BTreeMap::new());
    let (mut dependents, mut waiting) = (BTreeMap::new(), BTreeMap::new());
    for (key, entry) in &roster {
        let unmet = earlier[key].iter().filter(|before| !passes[*before]).count();
        if *key < plan.unknown_from() {
            assert_eq!(entry.unmet as usize, unmet, "what {key} is after, of {plan:?}");
        }
        passes.insert(*key, entry.phase == Phase::Ready || (entry.phase == Phase::Ended && unmet == 0));
    }
    for (key, entry) in roster.iter().rev() {
        let (above, declared) = (dependents.get(key).copied().unwrap_or(0), waiting.get(key).copied().unwrap_or(0));
        assert_eq!((entry.dependents, entry.waiting), (above, declared), "what is after {key}, of {plan:?}");
        let runs = !matches!(entry.phase, Phase::Down | Phase::Dissolving | Phase::Ended);
        holds.insert(*key, (runs && !entry.given_up) || above > 0);
        waits.insert(*key, entry.phase != Phase::Ended || declared > 0);
        for before in &earlier[key] {
            *dependents.entry(*before).or_insert(0) += u32::from(holds[key]);
            let is_declared = plan.roster.declared(*key).is_some();
            *waiting.entry(*before).or_insert(0) += u32::from(is_declared && waits[key]);
        }
    }
    let count = |is: &dyn Fn(Phase) -> bool| roster.iter().filter(|(_, entry)| is(entry.phase)).count();
    assert_eq!(plan.left, count(&|place| place != Phase::Ended));
    assert_eq!(plan.unready, count(&|place| !matches!(place, Phase::Ready | Phase::Ended)));
    assert_eq!(plan.given_up, roster.iter().filter(|(_, entry)| entry.given_up).count());
    assert!(plan.roster.added.values().all(|entry| entry.phase != Phase::Ended), "an added child left something");
    for (key, entry) in &roster {
        let starts = entry.phase == Phase::Down && entry.unmet == 0 && !plan.retired;
        let (up, stops) = (entry.is_up() && entry.dependents == 0, entry.dependents == 0);
        match &plan.mode {
            Mode::Up => assert!(!starts, "{key} could start: {plan:?}"),
            Mode::Restarting(restart) if *key < restart.first => assert!(!starts, "{key} could start: {plan:?}"),
            Mode::Restarting(_) => assert!(!up, "{key} could be held: {plan:?}"),
            Mode::Stopping(_) => {
                let is_left = !matches!(entry.phase, Phase::Stopping | Phase::Dissolving | Phase::Ended);
                assert!(!(is_left && stops), "{key} could be stopped: {plan:?}");
            }
            Mode::Asking(_) | Mode::Over => {}
        }
    }
    if let Mode::Restarting(restart) = &plan.mode {
        assert_eq!(restart.running, roster.iter().filter(|(key, entry)| *key >= restart.first && entry.runs()).count());
    }
}

/// Returns for each child the children that it is after.
fn earlier(plan: &Plan, keys: &[Key]) -> BTreeMap<Key, Vec<Key>> {
    let of = |(position, key): (usize, &Key)| {
        let earlier = match plan.roster.declared(*key) {
            Some(index) => plan.rules.order.earlier(index).iter().map(|earlier| Key::from(*earlier)).collect(),
            None if plan.rules.strategy == Strategy::RestForOne && position > 0 => vec![keys[position - 1]],
            None => Vec::new(),
        };
        (*key, earlier)
    };
    keys.iter().enumerate().map(of).collect()
}
