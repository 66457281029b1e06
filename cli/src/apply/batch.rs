//! Lines of operations, taken together to batches. No more than one batch is held at a time.

use std::io::{BufRead, Read};

use mangrove_protocol::limits::DELTA_BYTES;
use serde_json::value::RawValue;

use crate::exit::Kind;
use crate::failure::Failure;

/// Bytes of the lines of one batch, so that it fits into one delta with what a delta has besides.
const BATCH_BYTES: u64 = DELTA_BYTES - (64 << 10);

/// Bytes of one line. A longer one fits into no delta.
const LINE_BYTES: u64 = DELTA_BYTES;

/// Operations that are written at once.
#[derive(Debug)]
pub(super) struct Batch {
    /// The operations, as they were written.
    pub(super) ops: Vec<Box<RawValue>>,
    /// In which line each stands.
    pub(super) lines: Vec<u64>,
}

/// Batches of what can be read.
pub(super) struct Batches<R> {
    source: R,
    most_ops: usize,
    /// How many lines were read.
    line: u64,
    /// An operation that did not fit into the batch before.
    kept: Option<Box<RawValue>>,
}

impl<R: BufRead> Batches<R> {
    /// Batches of so many operations, or fewer where they are long.
    pub(super) const fn new(source: R, most_ops: usize) -> Self {
        Self { source, most_ops, line: 0, kept: None }
    }

    /// The next batch; nothing if all was read. An operation that is none is an error only when it is its turn: those
    /// before it in the same batch are not written either, since a batch is written as a whole.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, Failure> {
        let mut batch = Batch { ops: Vec::new(), lines: Vec::new() };
        let mut bytes = 0;
        while batch.ops.len() < self.most_ops {
            let Some(op) = self.op()? else { break };
            bytes += op.get().len() as u64;
            if bytes > BATCH_BYTES && !batch.ops.is_empty() {
                self.kept = Some(op);
                break;
            }
            batch.ops.push(op);
            batch.lines.push(self.line);
        }
        Ok(Some(batch).filter(|batch| !batch.ops.is_empty()))
    }

    /// The next operation.
    fn op(&mut self) -> Result<Option<Box<RawValue>>, Failure> {
        if let Some(op) = self.kept.take() {
            return Ok(Some(op));
        }
        loop {
            let mut bytes = Vec::new();
            let read = self.source.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut bytes);
            self.line += 1;
            read.map_err(|why| self.refused(Kind::Storage, "it cannot be read").because(why))?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if bytes.len() as u64 > LINE_BYTES {
                let why = format!("it has more than {LINE_BYTES} bytes");
                return Err(self.refused(Kind::TooLarge, &why));
            }
            let text = std::str::from_utf8(&bytes)
                .map_err(|why| self.refused(Kind::Usage, "it is not UTF-8").because(why))?;
            let text = text.trim();
            if !text.is_empty() {
                return self.read(text).map(Some);
            }
        }
    }

    fn read(&self, text: &str) -> Result<Box<RawValue>, Failure> {
        let hint = r#"an operation is like {"op":"put","key":"k","value":1}"#;
        let raw = RawValue::from_string(text.to_owned()).map_err(|why| {
            // The line in its message is that of the text, which has one alone.
            let why = format!("{} at column {}", words(&why), why.column());
            self.refused(Kind::Usage, "it is no JSON").because(why).hint(hint)
        })?;
        match raw.get().starts_with('{') {
            true => Ok(raw),
            false => Err(self.refused(Kind::Usage, "it is no operation").hint(hint)),
        }
    }

    fn refused(&self, kind: Kind, why: &str) -> Failure {
        Failure::new(kind, format!("line {}: {why}", self.line))
    }
}

fn words(why: &serde_json::Error) -> String {
    let text = why.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of each batch.
    fn lines(text: &str, most_ops: usize) -> Result<Vec<Vec<u64>>, String> {
        let mut batches = Batches::new(text.as_bytes(), most_ops);
        let mut all = Vec::new();
        loop {
            match batches.next() {
                Ok(Some(batch)) => {
                    assert_eq!(batch.ops.len(), batch.lines.len());
                    all.push(batch.lines);
                }
                Ok(None) => return Ok(all),
                Err(failure) => return Err(failure.message()),
            }
        }
    }

    #[test]
    fn lines_are_taken_together_and_empty_ones_are_passed_over() {
        assert_eq!(lines("", 2), Ok(vec![]));
        assert_eq!(lines("{}\n{}\n{}\n", 2), Ok(vec![vec![1, 2], vec![3]]));
        assert_eq!(lines("\n{}\r\n  \n\n{}", 2), Ok(vec![vec![2, 5]]));
        assert_eq!(lines("{}\n{}\n", 2), Ok(vec![vec![1, 2]]));
    }

    #[test]
    fn a_batch_is_no_longer_than_a_delta() {
        let half = usize::try_from(BATCH_BYTES / 2).unwrap();
        let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(half));
        let text = format!("{{}}\n{long}{long}{long}{{}}\n");
        assert_eq!(lines(&text, 100), Ok(vec![vec![1, 2], vec![3], vec![4, 5]]));
    }

    #[test]
    fn what_is_no_operation_is_told_with_its_line() {
        let check = |text: &str, expect: &str| {
            let why = lines(text, 100).unwrap_err();
            assert!(why.starts_with(expect), "{text}: {why}");
        };
        check("{}\n\n{\"op\":}\n", "line 3: it is no JSON: expected value at column 7");
        check("{}\n[1]\n", "line 2: it is no operation");
        check("{} {}\n", "line 1: it is no JSON: trailing characters");
        let long = usize::try_from(LINE_BYTES).unwrap() + 1;
        check(&format!("{{}}\n{}", "x".repeat(long)), "line 2: it has more than");
        let mut batches = Batches::new(&b"{}\n\xff\n"[..], 100);
        assert!(batches.next().unwrap_err().message().starts_with("line 2: it is not UTF-8"));
    }

    #[test]
    fn operations_stay_as_they_were_written() {
        let text = "  {\"op\":\"put\",\"key\":\"k\",\"value\":1.50}  \n";
        let batch = Batches::new(text.as_bytes(), 1).next().unwrap().unwrap();
        assert_eq!(batch.ops.first().unwrap().get(), text.trim());
    }
}
