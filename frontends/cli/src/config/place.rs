//! Where in a TOML document something is.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A parsed document, for finding the places of errors.
pub(super) struct Document<'a> {
    text: &'a str,
    root: Option<toml::Spanned<DeTable<'a>>>,
}

impl<'a> Document<'a> {
    /// The document of `text`; of one that is not TOML, only its lines are known.
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, root: DeTable::parse(text).ok() }
    }

    /// The number of the line in which a byte is; the first is 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
    }

    /// The path of the innermost key that `span` is a part of, or of whose value.
    pub(super) fn key_at(&self, span: &Range<usize>) -> Vec<String> {
        self.root.as_ref().map(|root| path_to(root.get_ref(), span)).unwrap_or_default()
    }

    /// The line of the key with this path.
    pub(super) fn line_of_key(&self, path: &[&str]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let (mut key, mut value) = self.root.as_ref()?.get_ref().get_key_value(*first)?;
        for name in rest {
            (key, value) = value.get_ref().as_table()?.get_key_value(*name)?;
        }
        Some(self.line(key.span().start.min(value.span().start)))
    }
}

fn path_to(table: &DeTable<'_>, span: &Range<usize>) -> Vec<String> {
    let contains = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (key, value) in table {
        // A table's own span is that of its header, so its keys have to be looked at in any case.
        let inner = path_in(value.get_ref(), span);
        if !inner.is_empty() || contains(key.span()) || contains(value.span()) {
            return std::iter::once(key.get_ref().to_string()).chain(inner).collect();
        }
    }
    Vec::new()
}

fn path_in(value: &DeValue<'_>, span: &Range<usize>) -> Vec<String> {
    match value {
        DeValue::Table(table) => path_to(table, span),
        DeValue::Array(items) => {
            let inner = items.iter().map(|item| path_in(item.get_ref(), span));
            inner.into_iter().find(|path| !path.is_empty()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}
