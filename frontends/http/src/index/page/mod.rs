//! The page for people: every function, with its versions, its live numbers and a form to call it.

mod call_form;
mod function;
mod versions;

use std::fmt::{self, Display, Formatter};

use function::entry;

use crate::{console::Escaped, selection::Page};

/// The elements of the page that lists these functions. Everything that came from a publisher is escaped.
pub(super) struct Html<'a>(pub(super) &'a Page);

impl Html<'_> {
    /// How many functions there are.
    pub(super) fn count(&self) -> String {
        match (self.0.functions.len(), self.0.total) {
            (1, 1) => "1 function".to_owned(),
            (shown, total) if shown == total => format!("{total} functions"),
            (shown, total) => format!("{shown} of {total} functions"),
        }
    }

    /// A field that hides the functions whose names do not contain the text that is typed. Where there are more pages,
    /// Enter asks the server for the names that begin with that text.
    fn filter(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page { functions, total, .. } = self.0;
        if functions.is_empty() {
            return Ok(());
        }
        let (label, partial) = if functions.len() < *total {
            ("Filter this page by name, or press Enter to find names on all pages", " data-partial")
        } else {
            ("Filter by name", "")
        };
        writeln!(
            f,
            "<label>{label}<input id=\"filter\" type=\"search\" placeholder=\"Press / to filter\" \
             autocomplete=\"off\" data-filter=\"article\"{partial}></label>"
        )
    }

    fn main(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page { functions, total, next, .. } = self.0;
        match (functions.as_slice(), total) {
            ([], 0) => f.write_str(
                "<p>No function is published yet. Publish one with <code>nebula publish NAME FILE</code>.</p>\n",
            )?,
            ([], _) => f.write_str("<p>There are no more functions.</p>\n")?,
            _ => f.write_str(
                "<section id=\"live\" class=\"plots\" aria-label=\"Live numbers of the server\"></section>\n\
                 <noscript><p>The forms and the live numbers on this page need JavaScript. The functions do not.</p>\
                 </noscript>\n",
            )?,
        }
        functions.iter().try_for_each(|listed| entry(f, listed, self.0))?;
        match next {
            Some(next) => writeln!(f, "<nav><a rel=\"next\" href=\"{}\">Next page</a></nav>", Escaped(next)),
            None => Ok(()),
        }
    }
}

impl Display for Html<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count = self.count();
        writeln!(f, "<header><div><h1>Nebula</h1><p class=\"soft\">{count}</p></div>")?;
        self.filter(f)?;
        f.write_str("</header>\n<main>\n")?;
        self.main(f)?;
        f.write_str(
            "</main>\n<footer class=\"soft\"><a href=\"healthz\">health</a> · <a href=\"readyz\">readiness</a> · \
             <a href=\"metrics\">metrics</a> · <a href=\"openapi.json\">OpenAPI</a></footer>\n",
        )
    }
}

#[cfg(test)]
mod tests;
