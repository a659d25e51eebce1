//! What the pages for people share: their look, their scripts, and the policy that keeps them to this server.

mod document;
mod escaped;

pub use document::Document;
pub(crate) use escaped::Escaped;
