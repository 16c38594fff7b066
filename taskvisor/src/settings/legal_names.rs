//! Every name that an override of a tree can have.

use std::collections::HashMap;

use taskvisor_parse::suggest;

use super::overrides::{Given, Kind};
use super::owner::Place;
use super::sheet::{ChildOptions, Sheet};
use crate::sorting::sort_by_text;

/// A setting of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) row: usize,
    /// The name of the value, or of its part.
    pub(super) name: &'static str,
}

/// The names of the settings of a tree, in one spelling.
pub(super) struct LegalNames<'a> {
    sheet: &'a Sheet,
    spelling: Spelling<'a>,
    /// The settings by name; more than one if their names are equal in this spelling.
    targets: HashMap<String, Vec<Target>>,
    /// The options of the program's structure, which cannot be overridden, each with its owner and its name.
    structure: Vec<(String, Place, &'static str)>,
    /// The prefixes of the names of the children that a fresh group makes, each with that group.
    made: Vec<(String, &'a str)>,
}

/// The spelling of names.
#[derive(Clone, Copy)]
pub(super) enum Spelling<'a> {
    /// `store.pool.timeout`
    Key,
    /// `APP_STORE_POOL_TIMEOUT`
    Variable { prefix: &'a str },
}

impl<'a> Spelling<'a> {
    pub(super) fn of(kind: &'a Kind) -> Self {
        match kind {
            Kind::Values | Kind::File(_) => Self::Key,
            Kind::Variables(prefix) => Self::Variable { prefix },
        }
    }

    pub(super) fn spell(self, key: &str) -> String {
        match self {
            Self::Key => key.to_owned(),
            Self::Variable { prefix } => {
                let sign = |sign: char| if sign.is_ascii_alphanumeric() { sign.to_ascii_uppercase() } else { '_' };
                format!("{prefix}_{}", key.chars().map(sign).collect::<String>())
            }
        }
    }
}

impl<'a> LegalNames<'a> {
    pub(super) fn new(sheet: &'a Sheet, spelling: Spelling<'a>) -> Self {
        let mut names = Self { sheet, spelling, targets: HashMap::new(), structure: Vec::new(), made: Vec::new() };
        for place in sheet.places() {
            let mut owner = sheet.open(place, &sheet.config);
            let spell = |name| spelling.spell(&sheet.key(place, name));
            for row in 0..owner.rows() {
                let Some(field) = owner.field(row) else { continue };
                for name in field.value.names(field.row) {
                    names.targets.entry(spell(name)).or_default().push(Target { place, row, name });
                }
            }
            names.structure.extend(owner.structure().into_iter().map(|name| (spell(name), place, name)));
        }
        let groups = sheet.children.iter().filter_map(|child| match &child.options {
            ChildOptions::Group(group) if group.is_fresh => Some(&*child.path),
            _ => None,
        });
        names.made = groups.map(|path| (spelling.spell(&path.replace('/', ".")), path)).collect();
        names
    }

    /// Returns the setting with this name.
    ///
    /// # Errors
    /// The reason why there is no such setting.
    pub(super) fn find(&self, given: &Given) -> Result<Target, String> {
        match self.targets.get(&given.name).map(Vec::as_slice) {
            Some([target]) => Ok(*target),
            Some([first, second, ..]) => Err(self.ambiguous(*first, *second)),
            Some([]) | None => Err(self.unknown(&given.name)),
        }
    }

    fn ambiguous(&self, first: Target, second: Target) -> String {
        let shown = [first, second].map(|Target { place, name, .. }| {
            let path = self.sheet.path(place);
            format!("`{name}` of `{path}`")
        });
        let instead = match self.spelling {
            Spelling::Variable { .. } => "use a file",
            Spelling::Key => "rename one of the two",
        };
        format!("it names both {} and {}: {instead}", shown[0], shown[1])
    }

    fn unknown(&self, name: &str) -> String {
        if let Some((_, place, option)) = self.structure.iter().find(|(known, ..)| known == name) {
            return match self.of_a_child(*place, option) {
                Some(meant) => format!("a group has no `{option}`: set that of its tasks, such as `{meant}`"),
                None => "it is the program's structure, which only its code can change".to_owned(),
            };
        }
        let separator = match self.spelling {
            Spelling::Key => '.',
            Spelling::Variable { .. } => '_',
        };
        let is_within =
            |name: &str, outer: &str| name.strip_prefix(outer).is_some_and(|rest| rest.starts_with(separator));
        if let Some((_, group)) = self.made.iter().find(|(start, _)| is_within(name, start)) {
            let meant = self.closest(name).map(|meant| format!(", or did you mean `{meant}`?")).unwrap_or_default();
            return format!("the children of `{group}` are made anew at each start, and are not overridden{meant}");
        }
        let mut parts: Vec<_> =
            self.targets.keys().map(String::as_str).filter(|known| is_within(known, name)).collect();
        sort_by_text(&mut parts, |part| part);
        match parts.as_slice() {
            [] => match (self.with_groups(name), self.closest(name)) {
                (Some(meant), _) => format!("unknown setting, did you mean {meant}, with the groups that it is in?"),
                (None, Some(meant)) => format!("unknown setting, did you mean `{meant}`?"),
                (None, None) => "unknown setting: nothing that the tree declares has it, and what is added at run time has no settings".to_owned(),
            },
            [meant] => format!("unknown setting, did you mean `{meant}`?"),
            _ if parts.len() <= 4 => format!("it has no value of its own: set {}", suggest::list(parts, '`')),
            [first, ..] => format!("it has no value of its own, but settings such as `{first}`"),
        }
    }

    /// Returns the first setting of that name of the tasks in a group.
    fn of_a_child(&self, place: Place, option: &str) -> Option<&str> {
        let Place::Child(_) = place else { return None };
        let group = self.sheet.path(place);
        let is_in = |path: &str| path.strip_prefix(&*group).is_some_and(|rest| rest.starts_with('/'));
        let is_meant = |target: &Target| target.name == option && is_in(&self.sheet.path(target.place));
        let meant = self.targets.iter().filter(|(_, targets)| targets.iter().any(is_meant));
        meant.map(|(known, _)| known.as_str()).min()
    }

    /// Returns the settings of which the name is complete except for some groups, unless there are too many.
    fn with_groups(&self, name: &str) -> Option<String> {
        let last = name.rsplit(['.', '_']).next().unwrap_or_default();
        let longer = self.targets.iter().filter(|(known, _)| known.len() > name.len() && known.ends_with(last));
        let lacks_groups = |targets: &[Target]| targets.iter().any(|it| self.lacks_groups(name, *it));
        let mut meant: Vec<_> =
            longer.filter(|(_, targets)| lacks_groups(targets)).map(|(known, _)| known.as_str()).collect();
        sort_by_text(&mut meant, |known| known);
        (1..=4).contains(&meant.len()).then(|| suggest::list(meant, '`'))
    }

    /// Returns `true` if the name is that of this setting without some of the groups that it is in.
    fn lacks_groups(&self, name: &str, target: Target) -> bool {
        let Place::Child(_) = target.place else { return false };
        let groups = self.sheet.path(target.place).matches('/').count();
        let key = self.sheet.key(target.place, target.name);
        let parts: Vec<_> = key.split('.').collect();
        let without = |from: usize, to: usize| self.spelling.spell(&[&parts[..from], &parts[to..]].concat().join("."));
        (0..groups).any(|from| (from + 1..=groups).any(|to| without(from, to) == name))
    }

    fn closest(&self, name: &str) -> Option<&str> {
        // A name whose length differs by more is never suggested, and comparing lengths is cheap.
        let is_near = |known: &&str| known.len().abs_diff(name.len()) <= 8;
        let mut near: Vec<_> = self.targets.keys().map(String::as_str).filter(is_near).collect();
        // Of equally close names, the first is suggested.
        sort_by_text(&mut near, |name| name);
        suggest::closest(name, near)
    }
}
