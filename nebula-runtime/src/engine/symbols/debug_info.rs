//! Reads DWARF debug information (DWARF Debugging Information Format, versions 2 to 5, as "DWARF for WebAssembly"
//! places it in custom sections).
//!
//! Anyone may have made it. So nothing is kept but what belongs to the places that are looked for, sections that would
//! take too much memory are not read, and all work ends after some time. A crate that indexes debug information for
//! any number of questions could not promise that.

use std::{
    collections::HashMap,
    num::NonZeroU64,
    time::{Duration, Instant},
};

use gimli::{ColumnType, Dwarf, EndianSlice, LineProgramHeader, LineRow, LittleEndian, SectionId, Unit};

use super::{
    frame::{CodeSite, SourceFrame, bounded},
    functions::{Functions, InlinedCall},
    modules::{CoreModule, modules},
    work::{DebugInfoError, Slice, Work, contains},
};

/// How long the debug information of one module is read.
const TIME: Duration = Duration::from_secs(5);

/// The most bytes of all debug sections together.
const MAX_SIZE: usize = 256 << 20;

/// The most bytes of one unit's abbreviations, which take the most memory of all that is read.
const MAX_ABBREVIATIONS: usize = 8 << 20;

/// How many bytes the declarations of a function's variables take, before its first instruction.
const DECLARATIONS: u64 = 16;

/// The lines of places: the innermost function first, if functions are inlined there.
pub(super) type FoundLines = HashMap<CodeSite, Vec<SourceFrame>>;

/// The lines of these places in the file `wasm`. Blocks until they are found.
pub(super) fn find(wasm: &[u8], sites: &[CodeSite]) -> Result<FoundLines, DebugInfoError> {
    find_until(Instant::now() + TIME, wasm, sites)
}

fn find_until(end: Instant, wasm: &[u8], sites: &[CodeSite]) -> Result<FoundLines, DebugInfoError> {
    let mut work = Work::until(end);
    let modules = modules(wasm, sites)?;
    if modules.is_empty() {
        return Err(DebugInfoError::Missing);
    }
    let mut found = FoundLines::new();
    for module in modules {
        // A module that cannot be read to its end may still tell some lines.
        match module.find(&mut work, &mut found) {
            Err(DebugInfoError::TooMuchWork) => return Err(DebugInfoError::TooMuchWork),
            Ok(()) | Err(DebugInfoError::Missing | DebugInfoError::Unreadable) => {}
        }
    }
    Ok(found)
}

impl<'a> CoreModule<'a> {
    fn find(&self, work: &mut Work, found: &mut FoundLines) -> Result<(), DebugInfoError> {
        let size: usize = self.sections.values().map(|section| section.len()).sum();
        let abbreviations = self.sections.get(SectionId::DebugAbbrev.name()).map_or(0, |section| section.len());
        if size > MAX_SIZE || abbreviations > MAX_ABBREVIATIONS {
            return Err(DebugInfoError::TooMuchWork);
        }
        let section = |id: SectionId| self.sections.get(id.name()).copied().unwrap_or_default();
        let dwarf = Dwarf::load(|id| Ok::<_, gimli::Error>(EndianSlice::new(section(id), LittleEndian)))?;
        let mut sites: Vec<_> =
            self.sites.iter().map(|site| (site.instruction.saturating_sub(self.code), *site)).collect();
        let mut units = dwarf.units();
        while let Some(header) = units.next()?
            && !sites.is_empty()
        {
            work.step()?;
            // One damaged unit says nothing about the next.
            let Ok(unit) = dwarf.unit(header) else { continue };
            let within = sites_within(&dwarf, &unit, &sites, work)?;
            if within.is_empty() {
                continue;
            }
            sites.retain(|site| !within.contains(site));
            for (site, frames) in UnitLines::new(&dwarf, &unit).frames(&within, work)? {
                found.insert(site, frames);
            }
        }
        Ok(())
    }
}

/// A place in a module's code: its address in the debug information, and the place itself.
type Site = (u64, CodeSite);

/// The places that are in the code of a unit.
fn sites_within<'a>(
    dwarf: &Dwarf<Slice<'a>>,
    unit: &Unit<Slice<'a>>,
    sites: &[Site],
    work: &mut Work,
) -> Result<Vec<Site>, DebugInfoError> {
    let mut within = Vec::new();
    let Ok(mut ranges) = dwarf.unit_ranges(unit) else { return Ok(within) };
    while let Ok(Some(range)) = ranges.next() {
        work.step()?;
        within.extend(sites.iter().filter(|(address, _)| contains(range, *address)));
    }
    Ok(within)
}

/// The lines of one unit.
struct UnitLines<'a, 'd> {
    dwarf: &'d Dwarf<Slice<'a>>,
    unit: &'d Unit<Slice<'a>>,
}

impl<'a, 'd> UnitLines<'a, 'd> {
    fn new(dwarf: &'d Dwarf<Slice<'a>>, unit: &'d Unit<Slice<'a>>) -> Self {
        Self { dwarf, unit }
    }

    /// The frames at each of these places.
    fn frames(&self, sites: &[Site], work: &mut Work) -> Result<Vec<(CodeSite, Vec<SourceFrame>)>, DebugInfoError> {
        let addresses: Vec<_> = sites.iter().map(|(address, _)| *address).collect();
        let mut rows = self.rows(&addresses, work)?;
        let mut calls = Functions::new(self.dwarf, self.unit).at(&addresses, work)?;
        let frames = |(address, site): &Site| {
            let row = rows.remove(address).unwrap_or_default();
            (*site, self.innermost_first(row, calls.remove(address).unwrap_or_default()))
        };
        Ok(sites.iter().map(frames).collect())
    }

    /// The line of each address.
    fn rows(&self, addresses: &[u64], work: &mut Work) -> Result<HashMap<u64, SourceFrame>, DebugInfoError> {
        let mut found = HashMap::new();
        let Some(program) = self.unit.line_program.clone() else { return Ok(found) };
        let mut rows = program.rows();
        let mut last: Option<LineRow> = None;
        // What comes before damage may be right.
        while let Ok(Some((header, row))) = rows.next_row() {
            work.step()?;
            match last {
                Some(last) => {
                    let range = gimli::Range { begin: last.address(), end: row.address() };
                    for address in addresses.iter().filter(|address| contains(range, **address)) {
                        found.insert(*address, self.row(header, &last));
                    }
                }
                // The first line of a function also is that of what precedes it: the declarations of its variables.
                None => {
                    let range = gimli::Range { begin: row.address().saturating_sub(DECLARATIONS), end: row.address() };
                    for address in addresses.iter().filter(|address| contains(range, **address)) {
                        found.entry(*address).or_insert_with(|| self.row(header, row));
                    }
                }
            }
            last = (!row.end_sequence()).then_some(*row);
        }
        Ok(found)
    }

    fn row(&self, header: &LineProgramHeader<Slice<'a>>, row: &LineRow) -> SourceFrame {
        let column = match row.column() {
            ColumnType::LeftEdge => None,
            ColumnType::Column(column) => Some(column.get()),
        };
        let line = row.line().map(NonZeroU64::get);
        SourceFrame { function: None, file: self.path(header, row.file_index()), line, column }
    }

    /// The frames at one place: that of its line, and one for each function that this one is inlined into. `calls` has the
    /// outermost function first.
    fn innermost_first(&self, row: SourceFrame, calls: Vec<InlinedCall>) -> Vec<SourceFrame> {
        let mut frames = Vec::new();
        let mut place = row;
        for InlinedCall { function, file, line, column } in calls.into_iter().rev() {
            frames.push(SourceFrame { function, ..place });
            let header = self.unit.line_program.as_ref().map(gimli::IncompleteLineProgram::header);
            place = SourceFrame {
                function: None,
                file: header.zip(file).and_then(|(header, file)| self.path(header, file)),
                line,
                column,
            };
        }
        if frames.is_empty() && place.file.is_some() { vec![place] } else { frames }
    }

    /// The path of a file, from the folder in which the compiler ran.
    fn path(&self, header: &LineProgramHeader<Slice<'a>>, index: u64) -> Option<String> {
        let file = header.file(index)?;
        let text = |value| Some(self.dwarf.attr_string(self.unit, value).ok()?.to_string_lossy().into_owned());
        let mut path = text(file.path_name())?;
        if let Some(folder) = file.directory(header).and_then(text).filter(|_| !path.starts_with('/')) {
            path = format!("{}/{path}", folder.trim_end_matches('/'));
        }
        let own = self.unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        let below = path.strip_prefix(&own).filter(|_| !own.is_empty()).and_then(|below| below.strip_prefix('/'));
        Some(bounded(below.or_else(|| of_library(&path)).unwrap_or(&path)))
    }
}

/// The path of a file of Rust's own library, without the hash of its version, or of a crate, without the folder of
/// crates: `library/core/src/option.rs`, `serde-1.0.228/src/lib.rs`.
fn of_library(path: &str) -> Option<&str> {
    let (_, below) = path.split_once("/registry/src/").or_else(|| Some(("", path.strip_prefix("/rustc/")?)))?;
    below.split_once('/').map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use wasmparser::{Parser, Payload};

    use super::*;

    const NAMES: [&str; 6] =
        [".debug_abbrev", ".debug_info", ".debug_line", ".debug_ranges", ".debug_rnglists", ".debug_str"];

    /// A module of one function, with these debug sections, and the place of its instruction.
    fn module(sections: &[Vec<u8>]) -> (Vec<u8>, CodeSite) {
        let mut wasm = wat::parse_str("(module (func unreachable))").unwrap();
        let site = Parser::new(0).parse_all(&wasm).find_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => {
                let body = body.range().start as u64;
                Some(CodeSite { function: 0, body, instruction: body + 1 })
            }
            _ => None,
        });
        for (name, data) in NAMES.iter().zip(sections) {
            wasm.push(0);
            number(&mut wasm, 1 + name.len() + data.len());
            number(&mut wasm, name.len());
            wasm.extend_from_slice(name.as_bytes());
            wasm.extend_from_slice(data);
        }
        (wasm, site.unwrap())
    }

    /// Writes a number as LEB128.
    fn number(wasm: &mut Vec<u8>, mut number: usize) {
        while number > 0x7f {
            wasm.push(number as u8 | 0x80);
            number >>= 7;
        }
        wasm.push(number as u8);
    }

    /// A unit of DWARF 4 with one abbreviation, a range list, and entries of these bytes.
    fn unit(entries: &[u8]) -> Vec<u8> {
        let mut unit = u32::try_from(entries.len() + 7).unwrap().to_le_bytes().to_vec();
        unit.extend([4, 0, 0, 0, 0, 0, 4]);
        unit.extend(entries);
        unit
    }

    proptest! {
        #[test]
        fn any_debug_information_is_read_or_refused(sections in vec(vec(any::<u8>(), 0..200), 6), entries in vec(0_u8..8, 0..60)) {
            let (wasm, site) = module(&sections);
            let _ = find(&wasm, &[site]);
            let mut nearly_valid = sections;
            nearly_valid[1] = unit(&entries).repeat(3);
            let (wasm, site) = module(&nearly_valid);
            let _ = find(&wasm, &[site]);
        }
    }

    #[test]
    fn units_that_share_a_long_list_of_ranges_are_given_up() {
        // One abbreviation: a compile unit (0x11) without children, whose ranges (0x55) are at an offset (0x17).
        let abbreviations = vec![1, 0x11, 0, 0x55, 0x17, 0, 0, 0];
        let ranges = [[1_u32, 2].map(u32::to_le_bytes).concat().repeat(200_000), vec![0; 8]].concat();
        let units = unit(&[1, 0, 0, 0, 0]).repeat(100_000);
        let (wasm, site) = module(&[abbreviations, units, Vec::new(), ranges]);
        // To the end, it would take hours.
        assert_eq!(find_until(Instant::now() + TIME / 100, &wasm, &[site]), Err(DebugInfoError::TooMuchWork));
    }

    #[test]
    fn a_module_without_debug_information_has_no_lines() {
        let (wasm, site) = module(&[]);
        assert_eq!(find(&wasm, &[site]), Err(DebugInfoError::Missing));
    }
}
