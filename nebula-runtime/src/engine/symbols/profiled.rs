//! Names and lines for the frames of a profile.

use super::{
    Symbols,
    frame::{CodeFrame, CodeSite, SourceFrame},
    function, names,
};
use crate::call::ProfileFrame;

impl Symbols {
    /// The names of each frame, and the lines of those at these places: the innermost call first, if functions are
    /// inlined there. Waits for debug information.
    pub(in super::super) async fn sources(
        &self,
        frames: &[CodeFrame],
        places: Vec<CodeSite>,
    ) -> Vec<Vec<ProfileFrame>> {
        let known = self.0.find_all(places).await;
        let lines = |frame: &CodeFrame| frame.site.and_then(|site| known.get(&site)).map(Vec::as_slice);
        frames.iter().map(|frame| sources(frame, lines(frame).unwrap_or_default())).collect()
    }
}

fn sources(frame: &CodeFrame, lines: &[SourceFrame]) -> Vec<ProfileFrame> {
    if lines.is_empty() {
        return vec![ProfileFrame::new(&function(frame), None, None)];
    }
    let names = names(frame, lines);
    names.iter().zip(lines).map(|(name, line)| ProfileFrame::new(name, line.file.as_deref(), line.line)).collect()
}
