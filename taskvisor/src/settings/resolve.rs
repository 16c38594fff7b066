//! Checks overrides against a tree, and writes them into its declaration.

use std::collections::{HashMap, HashSet};

use super::invalid::InvalidOverride;
use super::legal_names::{LegalNames, Spelling, Target};
use super::origin::Origin;
use super::overrides::{Given, Kind, Overrides, Source, check_prefix};
use super::owner::{Owner, Place, is_inherited};
use super::sheet::Sheet;
use crate::policy::{NONE, is_at_most_zero};
use crate::runtime::{GroupLimit, Parts};
use crate::supervisor::{InvalidOption, SupervisorConfig};
use crate::tree::Declared;

/// A declared tree with the overrides that change it.
#[derive(Debug)]
pub(crate) struct Overridden {
    /// The options that the program declares.
    pub(super) sheet: Sheet,
    /// The overrides. A later one for the same setting applies.
    pub(super) applied: Vec<Applied>,
    /// The errors of the overrides. If there is one, none has been applied.
    pub(super) invalid: Vec<InvalidOverride>,
}

/// An override of a setting.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) target: Target,
    pub(super) text: String,
    pub(super) origin: Origin,
}

impl Overridden {
    /// A tree without overrides.
    pub(crate) fn none(sheet: Sheet) -> Self {
        Self { sheet, applied: Vec::new(), invalid: Vec::new() }
    }

    /// Finds the settings of the overrides, and checks their values. If one override is invalid, none has an effect.
    pub(crate) fn new(sheet: Sheet, overrides: &Overrides) -> (Self, Vec<InvalidOverride>) {
        let mut invalid = Vec::new();
        let mut applied = find(&sheet, overrides, &mut invalid);
        Checks { sheet: &sheet, invalid: &mut invalid }.check(&applied);
        if !invalid.is_empty() {
            applied.clear();
        }
        (Self { sheet, applied, invalid: invalid.clone() }, invalid)
    }

    /// Writes the values into the declaration.
    pub(crate) fn write(&self, root: &mut Declared, parts: &mut Parts) {
        let mut config = self.sheet.config.clone();
        // The tree comes first, as the others inherit from it.
        let by_place = by_place(&self.applied);
        for place in self.sheet.places() {
            let Some(applied) = by_place.get(&place) else { continue };
            let mut owner = self.sheet.open(place, &config);
            for Applied { target, text, .. } in applied {
                let _ = owner.set(target.row, target.name, text);
            }
            match (place, owner) {
                (_, Owner::Tree(tree)) => {
                    config.clone_from(&tree.config);
                    parts.set_config(tree.config);
                    root.set_limits(tree.root.limit, tree.root.max_starting);
                }
                (Place::Limit(at), Owner::Limit(limit)) => parts.limits.change(at, limit.max_concurrent),
                #[cfg(feature = "controller")]
                (_, Owner::Controller(controller)) => parts.controller.config = controller,
                #[cfg(feature = "controller")]
                (Place::Slot(at), Owner::Slot(slot)) => parts.controller.slots[at] = *slot,
                (Place::Child(at), owner) => self.write_child(at, owner, root),
                _ => {}
            }
        }
    }

    fn write_child(&self, child: usize, owner: Owner, root: &mut Declared) {
        let children = &self.sheet.children;
        let above = |child: &usize| children[*child].parent;
        let mut places: Vec<_> = std::iter::successors(Some(child), above).map(|child| children[child].place).collect();
        places.reverse();
        match owner {
            Owner::Group(group) => {
                if let Some(declared) = root.descendant_mut(&places) {
                    declared.overrides = group.set();
                    let options = group.options;
                    declared.set_limits(options.limit, options.max_starting);
                    declared.max_concurrent = options.max_concurrent.map(GroupLimit::by);
                }
            }
            Owner::Task(task) => {
                let Some((place, groups)) = places.split_last() else { return };
                if let Some(declared) = root.descendant_mut(groups) {
                    declared.change_task(*place, |spec| {
                        task.changed.iter().fold(spec, |spec, row| spec.set(*row, |set| set.set_as(&task.policy, *row)))
                    });
                }
            }
            _ => {}
        }
    }
}

/// Returns the overrides by their owner.
pub(super) fn by_place(applied: &[Applied]) -> HashMap<Place, Vec<&Applied>> {
    let mut places: HashMap<_, Vec<_>> = HashMap::new();
    for applied in applied {
        places.entry(applied.target.place).or_default().push(applied);
    }
    places
}

/// Finds the settings of all overrides.
fn find(sheet: &Sheet, overrides: &Overrides, invalid: &mut Vec<InvalidOverride>) -> Vec<Applied> {
    let mut applied = Vec::new();
    for source in &overrides.sources {
        if let Kind::Variables(prefix) = &source.kind {
            if let Err(message) = check_prefix(prefix) {
                invalid.push(InvalidOverride::new(&source.origin(&format!("{prefix}_*")), message));
                continue;
            }
        }
        // The names of a large tree are expensive to generate.
        if !source.given.is_empty() {
            let names = LegalNames::new(sheet, Spelling::of(&source.kind));
            find_in(source, sheet, &names, &mut applied, invalid);
        }
    }
    applied
}

fn find_in(
    source: &Source,
    sheet: &Sheet,
    names: &LegalNames<'_>,
    applied: &mut Vec<Applied>,
    invalid: &mut Vec<InvalidOverride>,
) {
    let mut seen = HashSet::new();
    for given in &source.given {
        let origin = source.origin(&given.name);
        let found = names.find(given).and_then(|target| {
            let is_first = seen.insert((target.place, target.name));
            if is_first {
                Ok((target, text(given, |text| takes(sheet, target, text))?))
            } else {
                Err("it is given twice, keep one".to_owned())
            }
        });
        match found {
            Ok((target, text)) => applied.push(Applied { target, text: text.to_owned(), origin }),
            Err(message) => invalid.push(InvalidOverride::new(&origin, message)),
        }
    }
}

/// Returns `true` if the text has the form of a value of this setting, and is no zero that is refused.
fn takes(sheet: &Sheet, Target { place, row, name }: Target, text: &str) -> bool {
    let mut owner = sheet.open(place, &sheet.config);
    let is_refused = |owner: &Owner| owner.check().is_err_and(|refused| refused.option == name);
    owner.set(row, name, text).is_ok() && !(is_at_most_zero(text) && is_refused(&owner))
}

/// Returns the text of a value. The message about blanks around it is only for what would be taken without them.
fn text(given: &Given, takes: impl Fn(&str) -> bool) -> Result<&str, String> {
    let text = given.text.as_ref().map_err(|wrong| (*wrong).to_owned())?;
    match text.trim() {
        "" if takes(NONE) => Err("it is empty: leave it out, or write `none` for no value".to_owned()),
        "" => Err("it is empty: leave it out".to_owned()),
        trimmed if trimmed != text && takes(trimmed) => {
            Err(format!("{text:?} has blanks around the value: write \"{trimmed}\""))
        }
        trimmed => Ok(trimmed),
    }
}

/// The checks of all values.
struct Checks<'a> {
    sheet: &'a Sheet,
    invalid: &'a mut Vec<InvalidOverride>,
}

impl Checks<'_> {
    fn check(&mut self, applied: &[Applied]) {
        let by_place = by_place(applied);
        let none = Vec::new();
        let of_tree = self.valid(Place::Tree, by_place.get(&Place::Tree).unwrap_or(&none));
        let config = self.config(&of_tree);
        for place in self.sheet.places().filter(|place| *place != Place::Tree) {
            let Some(applied) = by_place.get(&place) else { continue };
            let valid = self.valid_in(place, &config, applied);
            self.combine(place, &config, valid);
        }
        self.inherit(&of_tree, &config, &by_place);
    }

    fn valid<'a>(&mut self, place: Place, applied: &[&'a Applied]) -> Vec<&'a Applied> {
        let config = self.sheet.config.clone();
        let valid = self.valid_in(place, &config, applied);
        self.combine(place, &config, valid)
    }

    /// Returns the config with these overrides of the tree.
    fn config(&self, of_tree: &[&Applied]) -> SupervisorConfig {
        match self.with(Place::Tree, &self.sheet.config, of_tree) {
            Owner::Tree(tree) => tree.config,
            _ => self.sheet.config.clone(),
        }
    }

    /// Returns an owner with these values.
    fn with(&self, place: Place, config: &SupervisorConfig, applied: &[&Applied]) -> Owner {
        let mut owner = self.sheet.open(place, config);
        for Applied { target, text, .. } in applied {
            let _ = owner.set(target.row, target.name, text);
        }
        owner
    }

    /// Reports malformed values, and parts whose required other part is missing. Returns the other overrides.
    fn valid_in<'a>(&mut self, place: Place, config: &SupervisorConfig, applied: &[&'a Applied]) -> Vec<&'a Applied> {
        let mut owner = self.sheet.open(place, config);
        let mut valid = Vec::new();
        for applied in applied {
            match owner.set(applied.target.row, applied.target.name, &applied.text) {
                Ok(()) => valid.push(*applied),
                Err(message) => {
                    let message = self.refused_zero(place, config, applied).unwrap_or(message);
                    self.invalid.push(InvalidOverride::new(&applied.origin, message));
                }
            }
        }
        // A part whose other part is given but invalid is not reported again.
        let is_given = |row: &usize| applied.iter().any(|applied| applied.target.row == *row);
        for row in (0..owner.rows()).filter(is_given) {
            if let Some((part, lacking)) = self.lacking(place, config, row, applied) {
                let message = format!("it needs `{lacking}` beside it, which the program does not set");
                self.invalid.push(InvalidOverride::new(&part.origin, message));
                valid.retain(|valid| valid.target.row != row);
            } else if valid.iter().filter(|valid| valid.target.row == row).count() < count(applied, row) {
                valid.retain(|valid| valid.target.row != row);
            }
        }
        valid
    }

    /// Returns the message about a malformed value that can only mean zero, or is negative, where zero is refused. The
    /// message about its form would lead to a value that is refused next.
    fn refused_zero(&self, place: Place, config: &SupervisorConfig, applied: &Applied) -> Option<String> {
        let Applied { target: Target { row, name, .. }, text, .. } = applied;
        if !is_at_most_zero(text) {
            return None;
        }
        let mut owner = self.sheet.open(place, config);
        ["0s", "0"].iter().find(|zero| owner.set(*row, name, zero).is_ok())?;
        let refused = owner.check().err().filter(|refused| refused.option == *name)?;
        Some(format!("\"{text}\" is no value of `{name}`: expected {}", refused.expected))
    }

    /// Returns the last given part of a row, and the part that it needs and that is missing.
    fn lacking<'a>(
        &self,
        place: Place,
        config: &SupervisorConfig,
        row: usize,
        applied: &[&'a Applied],
    ) -> Option<(&'a Applied, &'static str)> {
        let mut owner = self.sheet.open(place, config);
        let whole = owner.field(row)?.row;
        let mut parts: Vec<&Applied> = Vec::new();
        for applied in applied.iter().filter(|applied| applied.target.row == row) {
            if applied.target.name == whole && applied.text == NONE {
                let _ = owner.set(row, whole, NONE);
                parts.clear();
            } else if applied.target.name != whole {
                parts.push(*applied);
            }
        }
        let names: Vec<_> = parts.iter().map(|part| part.target.name).collect();
        let lacking = owner.field(row)?.value.lacks(&names)?;
        Some((*parts.last()?, lacking))
    }

    /// Reports the values that are refused in combination with the other values of their owner. Returns the other
    /// overrides.
    fn combine<'a>(
        &mut self,
        place: Place,
        config: &SupervisorConfig,
        mut applied: Vec<&'a Applied>,
    ) -> Vec<&'a Applied> {
        let before = self.sheet.open(place, config).check().err();
        while let Some(refused) = self.with(place, config, &applied).check().err() {
            // An error of the program itself is reported by the start of the tree.
            if before.as_ref() == Some(&refused) {
                break;
            }
            let Some(culprit) = self.culprit(place, config, &applied, &refused) else { break };
            let Applied { target, origin, .. } = applied.remove(culprit);
            self.invalid.push(InvalidOverride::new(origin, reason(target.name, &refused)));
        }
        applied
    }

    /// Returns the override without which the value is not refused. It prefers that of the refused option, and then a
    /// later one.
    fn culprit(
        &self,
        place: Place,
        config: &SupervisorConfig,
        applied: &[&Applied],
        refused: &InvalidOption,
    ) -> Option<usize> {
        let is_of_option = |at: &usize| applied[*at].target.name == refused.option;
        let (mut order, others): (Vec<_>, Vec<_>) = (0..applied.len()).rev().partition(is_of_option);
        order.extend(others);
        let helps = |at: &usize| {
            let others: Vec<_> =
                applied.iter().enumerate().filter(|(other, _)| other != at).map(|(_, it)| *it).collect();
            // Without the override, the value of the program applies, which can be refused as well.
            let still = self.with(place, config, &others).check().err();
            still.is_none_or(|still| (still.option, still.expected) != (refused.option, refused.expected.clone()))
        };
        order.iter().copied().find(helps).or_else(|| order.first().copied())
    }

    /// Reports the overrides of the tree that a task or group cannot inherit.
    fn inherit(&mut self, of_tree: &[&Applied], config: &SupervisorConfig, by_place: &HashMap<Place, Vec<&Applied>>) {
        let mut tree = self.sheet.open(Place::Tree, config);
        let mut is_shared = |applied: &&&Applied| tree.field(applied.target.row).is_some_and(|it| is_inherited(it.row));
        let shared: Vec<&Applied> = of_tree.iter().filter(&mut is_shared).copied().collect();
        let mut reported: Vec<Option<InvalidOverride>> = shared.iter().map(|_| None).collect();
        let children = (0..self.sheet.children.len()).map(Place::Child);
        for place in children.take_while(|_| !shared.is_empty()) {
            let own = by_place.get(&place).map_or(&[][..], Vec::as_slice);
            let Some(refused) = self.with(place, config, own).check().err() else { continue };
            for (at, applied) in shared.iter().enumerate() {
                let others: Vec<_> = of_tree.iter().filter(|other| !std::ptr::eq(**other, *applied)).copied().collect();
                if self.with(place, &self.config(&others), own).check().is_ok() {
                    reported[at].get_or_insert_with(|| InvalidOverride::new(&applied.origin, refused.to_string()));
                    break;
                }
            }
        }
        self.invalid.extend(reported.into_iter().flatten());
    }
}

/// Returns the message about an override without which the value would not be refused.
fn reason(name: &str, refused: &InvalidOption) -> String {
    if refused.option == "cron" && matches!(name, "every" | "interval") {
        return "the task has a schedule, which is the program's structure: override its `cron` instead".to_owned();
    }
    refused.to_string()
}

fn count(applied: &[&Applied], row: usize) -> usize {
    applied.iter().filter(|applied| applied.target.row == row).count()
}
