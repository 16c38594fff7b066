//! The files of the page.

/// A file of the page, as it is served.
#[derive(Debug)]
pub(crate) struct File {
    name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! files {
    ($($name:literal: $content_type:literal,)*) => {
        const FILES: &[File] = &[
            $(File { name: $name, content_type: $content_type, text: include_str!(concat!("../page/", $name)) },)*
        ];
    };
}

files! {
    "index.html": "text/html; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "base.js": "text/javascript; charset=utf-8",
    "drawer.js": "text/javascript; charset=utf-8",
    "link.js": "text/javascript; charset=utf-8",
    "list.js": "text/javascript; charset=utf-8",
    "lists.js": "text/javascript; charset=utf-8",
    "log.js": "text/javascript; charset=utf-8",
    "model.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "tree.js": "text/javascript; charset=utf-8",
}

pub(crate) fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        for entry in fs::read_dir(folder).expect("the folder of the page") {
            let name = entry.expect("a file").file_name().into_string().expect("a name of letters");
            assert!(file(&name).is_some(), "{name} is not in the table");
        }
    }

    #[test]
    fn the_page_has_at_most_60_kb() {
        let size: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(size <= 60 * 1024, "{size} bytes");
    }
}
