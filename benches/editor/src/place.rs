//! The places of `places.rs.txt`.
//!
//! ```text
//! //- title
//! //- hover: words that the answer contains
//! //- completion: names, that, are, offered
//! //- definition: line of the only target
//! //- rename: number of edits
//! code with `$0` at the cursor
//! ```

use anyhow::{Context, Result};

/// A text with a cursor, and what an editor should show there.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) cursor: u32,
    pub(crate) hover: Option<String>,
    pub(crate) completion: Vec<String>,
    pub(crate) definition: Option<String>,
    pub(crate) rename: Option<usize>,
}

impl Place {
    pub(crate) fn read(all: &str) -> Result<Vec<Self>> {
        let (head, places) = all.split_once("//- ").context("there are no places")?;
        format!("//- {places}").split("\n\n\n").map(|place| Self::parse(head, place)).collect()
    }

    /// Parses one place. All of them start with the same text.
    fn parse(head: &str, written: &str) -> Result<Self> {
        let mut place = Self::default();
        let mut code = head.to_owned();
        for line in written.lines() {
            match line.strip_prefix("//- ").map(|line| line.split_once(": ").unwrap_or(("title", line))) {
                None => code.extend([line, "\n"]),
                Some(("hover", words)) => place.hover = Some(words.to_owned()),
                Some(("completion", names)) => place.completion = names.split(", ").map(str::to_owned).collect(),
                Some(("definition", line)) => place.definition = Some(line.to_owned()),
                Some(("rename", edits)) => place.rename = Some(edits.parse()?),
                Some(_) => line.trim_start_matches("//- ").clone_into(&mut place.title),
            }
        }
        let (before, after) = code.split_once("$0").with_context(|| format!("`{}` has no cursor", place.title))?;
        place.cursor = u32::try_from(before.len())?;
        place.text = format!("{before}{after}");
        Ok(place)
    }
}
