//! Finds the functions around an address in debug information, also those that are inlined.

use std::collections::HashMap;

use gimli::{
    AttributeValue, DW_AT_MIPS_linkage_name, DW_AT_abstract_origin, DW_AT_call_column, DW_AT_call_file,
    DW_AT_call_line, DW_AT_linkage_name, DW_AT_name, DW_AT_specification, DW_TAG_inlined_subroutine, DW_TAG_subprogram,
    DebugInfoOffset, DebuggingInformationEntry, Dwarf, Unit, UnitOffset,
};

use super::{
    frame::bounded,
    work::{DebugInfoError, Slice, Work, contains},
};

/// How many entries are followed from a function to its name: to the one that it is a copy of, and to its declaration.
const MAX_LINKS: u32 = 8;

/// The most functions that are inlined into each other at one place.
const MAX_CALLS: usize = 32;

/// A function around an address, and where it was inlined into the function around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InlinedCall {
    /// The name, as a compiler wrote it.
    pub(super) function: Option<String>,
    /// The file of the call, as an index into the unit's files.
    pub(super) file: Option<u64>,
    pub(super) line: Option<u64>,
    pub(super) column: Option<u64>,
}

/// The functions of one unit.
pub(super) struct Functions<'a, 'd> {
    dwarf: &'d Dwarf<Slice<'a>>,
    unit: &'d Unit<Slice<'a>>,
}

type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

impl<'a, 'd> Functions<'a, 'd> {
    pub(super) fn new(dwarf: &'d Dwarf<Slice<'a>>, unit: &'d Unit<Slice<'a>>) -> Self {
        Self { dwarf, unit }
    }

    /// The functions around each address, the outermost one first.
    pub(super) fn at(
        &self,
        addresses: &[u64],
        work: &mut Work,
    ) -> Result<HashMap<u64, Vec<InlinedCall>>, DebugInfoError> {
        let mut found: HashMap<u64, Vec<InlinedCall>> = HashMap::new();
        let mut entries = self.unit.entries();
        // A function comes before those that are inlined into it. What comes before damage may be right.
        while let Ok(Some(entry)) = entries.next_dfs() {
            work.step()?;
            if ![DW_TAG_subprogram, DW_TAG_inlined_subroutine].contains(&entry.tag()) {
                continue;
            }
            let within = self.addresses_within(entry, addresses, work)?;
            let Some(call) = within.first().map(|_| self.call(entry)) else { continue };
            for address in within {
                let calls = found.entry(address).or_default();
                if calls.len() < MAX_CALLS {
                    calls.push(call.clone());
                }
            }
        }
        Ok(found)
    }

    fn addresses_within(
        &self,
        entry: &Entry<'a>,
        addresses: &[u64],
        work: &mut Work,
    ) -> Result<Vec<u64>, DebugInfoError> {
        let mut within = Vec::new();
        let Ok(mut ranges) = self.dwarf.die_ranges(self.unit, entry) else { return Ok(within) };
        while let Ok(Some(range)) = ranges.next() {
            work.step()?;
            within.extend(addresses.iter().filter(|address| contains(range, **address)));
        }
        Ok(within)
    }

    fn call(&self, entry: &Entry<'a>) -> InlinedCall {
        let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
        let file = entry.attr_value(DW_AT_call_file).and_then(|value| match value {
            AttributeValue::FileIndex(index) => Some(index),
            value => value.udata_value(),
        });
        InlinedCall {
            function: self.name(entry),
            file,
            line: number(DW_AT_call_line).filter(|line| *line > 0),
            column: number(DW_AT_call_column).filter(|column| *column > 0),
        }
    }

    fn name(&self, entry: &Entry<'a>) -> Option<String> {
        name(self.dwarf, self.unit, entry, MAX_LINKS)
    }
}

/// The name of an entry, or that of the entry that it is a copy of. The name for the linker is preferred: it has the
/// function's namespaces as well.
fn name<'a>(dwarf: &Dwarf<Slice<'a>>, unit: &Unit<Slice<'a>>, entry: &Entry<'a>, links: u32) -> Option<String> {
    let text = |attribute| {
        let value = entry.attr_value(attribute)?;
        Some(bounded(&dwarf.attr_string(unit, value).ok()?.to_string_lossy()))
    };
    if let Some(linkage) = text(DW_AT_linkage_name).or_else(|| text(DW_AT_MIPS_linkage_name)) {
        return Some(linkage);
    }
    let original = |attribute| match entry.attr_value(attribute)? {
        AttributeValue::UnitRef(offset) => name_at(dwarf, unit, offset, links),
        AttributeValue::DebugInfoRef(offset) => name_elsewhere(dwarf, unit, offset, links),
        _ => None,
    };
    original(DW_AT_abstract_origin).or_else(|| original(DW_AT_specification)).or_else(|| text(DW_AT_name))
}

fn name_at<'a>(dwarf: &Dwarf<Slice<'a>>, unit: &Unit<Slice<'a>>, offset: UnitOffset, links: u32) -> Option<String> {
    name(dwarf, unit, &unit.entry(offset).ok()?, links.checked_sub(1)?)
}

/// The name of an entry that may be in another unit.
fn name_elsewhere<'a>(
    dwarf: &Dwarf<Slice<'a>>,
    unit: &Unit<Slice<'a>>,
    offset: DebugInfoOffset,
    links: u32,
) -> Option<String> {
    if let Some(offset) = offset.to_unit_offset(&unit.header) {
        return name_at(dwarf, unit, offset, links);
    }
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        if let Some(offset) = offset.to_unit_offset(&header) {
            return name_at(dwarf, &dwarf.unit(header).ok()?, offset, links);
        }
    }
    None
}
