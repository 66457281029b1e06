//! Where in a document a value is, for people: `$.a[3]["odd name"]`.

use super::string;

/// Bytes of a path that are shown, give or take one name.
const PATH_BYTES: usize = 256;
/// Characters of one name that are shown.
const NAME_CHARS: usize = 64;

/// The place of a name in the text that all names are kept in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Name {
    /// The name itself.
    pub(super) fn within(self, names: &str) -> &str {
        names.get(self.start..self.end).unwrap_or_default()
    }
}

/// One step from an array or object that is open to what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// To nothing yet.
    Nowhere,
    /// To the item with this index.
    Item(usize),
    /// To the member of this name.
    Member(Name),
}

/// These steps, from the document's root on.
pub(super) fn path(steps: &[Step], names: &str) -> String {
    let mut path = "$".to_owned();
    for step in steps {
        if path.len() > PATH_BYTES {
            path.push('…');
            break;
        }
        match step {
            Step::Nowhere => {}
            Step::Item(index) => path.push_str(&format!("[{index}]")),
            Step::Member(name) => push(&mut path, name.within(names)),
        }
    }
    path
}

fn push(path: &mut String, name: &str) {
    if is_plain(name) {
        path.push('.');
        path.push_str(name);
        return;
    }
    let (shown, more) = match name.char_indices().nth(NAME_CHARS) {
        Some((end, _)) => (name.get(..end).unwrap_or_default(), "…"),
        None => (name, ""),
    };
    let mut quoted = Vec::new();
    string::write(shown, &mut quoted);
    path.push_str(&format!("[{}{more}]", String::from_utf8_lossy(&quoted)));
}

/// Whether a name can follow a dot.
fn is_plain(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.len() <= NAME_CHARS
        && name.chars().all(word)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}
