//! The names of the keys and the channel of a fleet.

use std::fmt::Write as _;

/// The keys and the channel of a fleet. The keys have one hash tag, so they are in one slot of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// A hash from the id of a session to its data.
    pub(crate) sessions: String,
    /// A hash from the key of a lease to its owner and its token.
    pub(crate) leases: String,
    /// The channel on which a free key is published.
    pub(crate) freed: String,
}

impl Names {
    pub(crate) fn new(prefix: &str, fleet: &str) -> Self {
        let prefix = escaped(prefix);
        // An empty tag is no tag.
        let tag = if fleet.is_empty() { "%".to_owned() } else { escaped(fleet) };
        let name = |what| format!("{prefix}:{{{tag}}}:{what}");
        Self { sessions: name("sessions"), leases: name("leases"), freed: name("freed") }
    }
}

/// A hash tag is the text between the first `{` and the first `}` after it.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, char| {
        match char {
            '{' | '}' | '%' => {
                let _ = write!(escaped, "%{:02X}", u32::from(char));
            }
            _ => escaped.push(char),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn the_name_of_the_fleet_is_the_hash_tag() {
        let names = Names::new("taskvisor", "billing");
        assert_eq!(names.sessions, "taskvisor:{billing}:sessions");
        assert_eq!(names.leases, "taskvisor:{billing}:leases");
        assert_eq!(names.freed, "taskvisor:{billing}:freed");
    }

    #[test]
    fn each_fleet_has_one_tag_of_its_own() {
        let fleets = ["", "%", "%25", "{", "}", "{}", "a}b", "a", "{a}", "%7B"];
        let tags: std::collections::HashSet<_> = fleets
            .iter()
            .map(|fleet| {
                let name = Names::new("app{1}", fleet).leases;
                let (_, tagged) = name.split_once('{').unwrap();
                let (tag, _) = tagged.split_once('}').unwrap();
                assert!(!tag.is_empty(), "{name}");
                assert!(name.starts_with("app%7B1%7D:{"), "{name}");
                tag.to_owned()
            })
            .collect();
        assert_eq!(tags.len(), fleets.len());
    }
}
