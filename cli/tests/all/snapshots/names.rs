//! Names for what is another one in every run: ids, ports, times, sizes.
//!
//! They are numbered as they appear, page by page, so that a page still shows what is the same.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

/// What stands for the values of these fields, whatever they are.
const FIELDS: [(&str, &str); 14] = [
    ("build", "<build>"),
    ("bytes", "<bytes>"),
    ("depth", "<n>"),
    ("dropped", "<n>"),
    ("events", "<events>"),
    ("hlc", "<clock>"),
    ("homeBytes", "<bytes>"),
    ("oldestAgeMs", "<ms>"),
    ("peak", "<n>"),
    ("received", "<n>"),
    ("rows", "<n>"),
    ("rttMs", "<ms>"),
    ("sent", "<n>"),
    ("uptimeMs", "<ms>"),
];

/// Pages of counters, where every number may be another one.
const COUNTERS: [&str; 1] = ["diag-net"];

/// Pages of tables whose rows come and go with the load: what comes first is shown alone.
const HEADS: [&str; 1] = ["diag-queues"];

/// After these stands a port, if it is none of those that are usual.
const BEFORE_PORTS: [&str; 3] = ["127.0.0.1:", "/tcp/", "/udp/"];
const USUAL_PORTS: [u64; 2] = [2770, 2771];

/// After these stands the number of a process.
const BEFORE_PROCESSES: [&str; 4] = ["process ", "pid ", "-TERM ", "-INT "];

/// After these stands how much was exchanged.
const BEFORE_COUNTS: [&str; 2] = ["received ", "sent "];

/// Numbers of 13 digits are times in milliseconds.
const TIMES: RangeInclusive<u64> = 1_000_000_000_000..=9_999_999_999_999;

const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What is known of a world before its pages are written.
pub(super) struct Known {
    root: String,
    ids: Vec<String>,
    peers: Vec<String>,
}

/// The names on one page.
pub(super) struct Names<'k> {
    known: &'k Known,
    page: String,
    given: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Known {
    /// What stands in these texts of a world in this folder.
    pub(super) fn of<'t>(root: &str, texts: impl Iterator<Item = &'t str>) -> Self {
        let root = root.trim_end_matches('/').to_owned();
        let (mut ids, mut peers) = (Vec::new(), Vec::new());
        for word in texts.flat_map(|text| text.split(|c: char| !is_of_word(c))) {
            match kind(word) {
                Some("peer") => peers.push(word.to_owned()),
                Some("id") => ids.push(word.to_owned()),
                _ => {}
            }
        }
        Self { root, ids, peers }
    }
}

impl<'k> Names<'k> {
    pub(super) fn new(known: &'k Known, page: &str) -> Self {
        let (given, counts) = (BTreeMap::new(), BTreeMap::new());
        Self { known, page: page.to_owned(), given, counts }
    }

    /// What a command printed for a person.
    pub(super) fn answer(&mut self, text: &str) -> String {
        let shown = self.lines(text);
        if !self.shows_heads() {
            return shown;
        }
        let mut lines = shown.lines();
        let head = lines.next().map(|head| format!("{head}\n"));
        let rest = lines.next().map(|_| "…\n".to_owned());
        head.into_iter().chain(rest).collect()
    }

    /// Lines for a person. How wide columns are depends on what stands in them, so gaps are all alike.
    pub(super) fn lines(&mut self, text: &str) -> String {
        self.text(text).lines().map(|line| format!("{}\n", squeezed(line))).collect()
    }

    /// What a command printed for a program: one document, or one a line.
    pub(super) fn documents(&mut self, text: &str) -> String {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        match documents.collect::<Result<Vec<_>, _>>() {
            Ok(documents) => {
                documents.iter().map(|document| format!("{:#}\n", self.value(document))).collect()
            }
            Err(_) => self.answer(text),
        }
    }

    fn shows_heads(&self) -> bool {
        HEADS.contains(&self.page.as_str())
    }

    /// A text with names in the place of what differs.
    pub(super) fn text(&mut self, text: &str) -> String {
        let text = text.replace(&self.known.root, "<place>");
        let (mut shown, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some(first) = rest.chars().next() {
            let taken = match is_of_word(first) {
                true => {
                    let (taken, name) = self.word(rest, &shown);
                    shown.push_str(&name);
                    taken
                }
                false => {
                    shown.push(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        let shown = shown.replace("<span> <span>", "<span>").replace("<span> ago", "<ago>");
        shown.replace("just now", "<ago>")
    }

    /// A document with names in the place of what differs, and its fields in order.
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let sorted = fields.iter().collect::<BTreeMap<_, _>>().into_iter();
                let fields = sorted.map(|(name, value)| (name.clone(), self.field(name, value)));
                Value::Object(fields.collect())
            }
            Value::Array(items) if self.shows_heads() && items.len() > 1 => {
                let first = items.iter().take(1).map(|item| self.value(item));
                first.chain(["…".into()]).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::String(text) => self.text(text).into(),
            Value::Number(number) if number.as_u64().is_some_and(|it| TIMES.contains(&it)) => {
                "<time>".into()
            }
            other => other.clone(),
        }
    }

    fn field(&mut self, name: &str, value: &Value) -> Value {
        let label = FIELDS.iter().find(|(field, _)| *field == name);
        label.map_or_else(|| self.value(value), |(_, label)| (*label).into())
    }

    /// What stands for the word that a text begins with, and how much of the text that is.
    fn word(&mut self, text: &str, before: &str) -> (usize, String) {
        let end = text.find(|c: char| !is_of_word(c)).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or_default();
        match kind(word) {
            Some(kind) => (end, self.numbered(kind, word)),
            None if word.bytes().all(|it| it.is_ascii_digit()) => self.number(text, word, before),
            None => (end, self.part(word, before)),
        }
    }

    fn number(&self, text: &str, word: &str, before: &str) -> (usize, String) {
        if text.starts_with(RELEASE) && !before.ends_with('.') {
            return (RELEASE.len(), "<release>".to_owned());
        }
        if let Some(amount) = amount(text) {
            return amount;
        }
        let number = word.parse::<u64>().unwrap_or(u64::MAX);
        let follows = |all: &[&str]| all.iter().any(|it| before.ends_with(it));
        let counts = COUNTERS.contains(&self.page.as_str()) && before.ends_with(' ');
        let name = match number {
            _ if TIMES.contains(&number) => "<time>",
            1_024.. if follows(&BEFORE_PORTS) && !USUAL_PORTS.contains(&number) => "<port>",
            _ if follows(&BEFORE_PROCESSES) => "<pid>",
            _ if follows(&BEFORE_COUNTS) || counts => "<n>",
            _ => word,
        };
        (word.len(), name.to_owned())
    }

    /// The beginning or the end of something, as tables show it; anything else stays.
    fn part(&mut self, word: &str, before: &str) -> String {
        let known = self.known;
        if before.ends_with('…') && word.len() == 8 {
            let whole = known.peers.iter().find(|peer| peer.ends_with(word));
            return whole.map_or_else(|| word.to_owned(), |peer| self.numbered("peer", peer));
        }
        let whole = known.ids.iter().find(|id| word.len() == 10 && id.starts_with(word));
        match whole {
            Some(id) => format!("{}…", self.numbered("id", id)),
            None => word.to_owned(),
        }
    }

    /// The name of something, which is the same wherever it stands on the page.
    fn numbered(&mut self, kind: &'static str, word: &str) -> String {
        if let Some(name) = self.given.get(word) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        let name = format!("<{kind} {count}>");
        self.given.insert(word.to_owned(), name.clone());
        name
    }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What a word is the name of, told by its length and letters.
fn kind(word: &str) -> Option<&'static str> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match word.len() {
        52 if word.starts_with("12D3KooW") => Some("peer"),
        20.. if word.starts_with("mgt_") => Some("token"),
        60.. if word.starts_with("mangrove1") => Some("ticket"),
        // Where a feed is begins with its generation, and is a small number after that.
        26 if is_plain && word.contains("aaaaaa") => Some("cursor"),
        26 if is_plain => Some("version"),
        16 | 52 if is_plain => Some("id"),
        _ => None,
    }
}

/// What stands for the number with a unit that a text begins with, and how much of the text that is.
fn amount(text: &str) -> Option<(usize, String)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let rest = rest.strip_prefix(' ')?;
    let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
    let unit = rest.get(..end)?;
    let name = match unit {
        "ms" | "s" | "min" | "h" | "d" | "day" | "days" => "<span>",
        // What is constant is written without a point.
        "B" => "<size>",
        "KiB" | "MiB" | "GiB" | "TiB" if number.contains('.') => "<size>",
        "bytes" if number.len() > 3 => "<n> bytes",
        "rows" => "<n> rows",
        _ => return None,
    };
    Some((number.len() + 1 + unit.len(), name.to_owned()))
}

/// The line with two spaces for every wider gap, but as far to the right as it was.
fn squeezed(line: &str) -> String {
    let text = line.trim_start();
    let indent = " ".repeat(line.len() - text.len());
    let cells = text.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    format!("{indent}{}", cells.collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWR3ARxuJN7uYr4LJMZDubuMYUxDxCG7Vqom3xTuGKHFP4";
    const ID: &str = "2kmv6rdularh5vfqwtcuu7iz4ok54ydeomhyu42u2256laegld7q";
    const OTHER: &str = "vehagxpnx5ae2uoxx6ag7spk3v3xbm6t24re2633mowjhzekbzca";

    #[track_caller]
    fn check(page: &str, text: &str, expect: &str) {
        let known = Known::of("/tmp/.tmp1/", [PEER, ID, OTHER].into_iter());
        assert_eq!(Names::new(&known, page).answer(text), expect);
    }

    #[test]
    fn what_differs_from_run_to_run_has_a_name() {
        check("get", &format!("{OTHER} {ID} {OTHER}"), "<id 1> <id 2> <id 1>\n");
        check("get", "…TuGKHFP4 vehagxpnx5 governance", "…<peer 1> <id 1>… governance\n");
        check(
            "get",
            &format!("/ip4/127.0.0.1/tcp/38533/p2p/{PEER}"),
            "/ip4/127.0.0.1/tcp/<port>/p2p/<peer 1>\n",
        );
        check(
            "get",
            "pdlymtve5tdd4aaaaaaaaaaaam djiztnan7azlbxrk4vtyhmcpt4",
            "<cursor 1> <version 1>\n",
        );
        check("get", "/tmp/.tmp1/X of process 77", "<place>/X of process <pid>\n");
        check(
            "get",
            "just now, 7 s ago, 1 min 1 s, in 6 days, 0.3 ms",
            "<ago>, <ago>, <span>, in <span>, <span>\n",
        );
        check(
            "get",
            "43.3 GiB, 0 B, 39640 bytes, 5 rows, 1795362081619",
            "<size>, <size>, <n> bytes, <n> rows, <time>\n",
        );
        check("get", &format!("mangrove {RELEASE}"), "mangrove <release>\n");
    }

    #[test]
    fn what_is_always_the_same_stays() {
        for text in
            ["512 KiB", "128 bytes", "127.0.0.1:2770", "127.0.0.1:0", "/tcp/1", "7 keys", "12h"]
        {
            check("get", text, &format!("{text}\n"));
        }
    }

    #[test]
    fn tables_of_counters_show_no_numbers_and_those_that_come_and_go_no_rows() {
        check("diag-net", "commands  0      1024\n", "commands  <n>  <n>\n");
        check("diag-queues", "QUEUE  LANE\ndelta  api\nsync   api\n", "QUEUE  LANE\n…\n");
    }

    #[test]
    fn documents_stand_in_order_with_names_in_their_fields() {
        let known = Known::of("/tmp/.tmp1", [].into_iter());
        let text = format!("{{\"b\":[\"{ID}\"],\"a\":{{\"uptimeMs\":null}}}}\n7\n");
        let expect = "{\n  \"a\": {\n    \"uptimeMs\": \"<ms>\"\n  },\n  \"b\": [\n    \"<id 1>\"\n  ]\n}\n7\n";
        assert_eq!(Names::new(&known, "get").documents(&text), expect);
    }
}
