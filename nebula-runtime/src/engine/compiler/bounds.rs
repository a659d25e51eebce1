//! Refuses a module that declares more than any instance can have, before it is compiled.

use bytesize::ByteSize;
use wasmparser::{MemoryType, Parser, Payload, TableType, TypeRef};

use super::{
    super::{allocation::CORE_INSTANCES, limiter::MAX_TABLE_ELEMENTS},
    parts::{PartCounts, parts},
    proposals,
};
use crate::call::{ErrorKind, InvokeError};

/// The most definitions that a component may have. The definitions of a nested component count once for each of its
/// instances, because Wasmtime visits all of these when it compiles the component: a few lines of nested components can
/// stand for billions of definitions. Components that toolchains make have a few thousand.
const MAX_DEFINITIONS: u64 = 100_000;

/// Refuses a module that can never be instantiated, and says which number is too large. Such a module
/// - declares more memory than `max_memory`, more table elements than [`MAX_TABLE_ELEMENTS`], or a shared memory; or
/// - is a component of more than [`CORE_INSTANCES`] core instances or more than [`MAX_DEFINITIONS`] definitions.
///
/// A binary that is not WebAssembly is not refused here, because the compiler says more about it.
pub(super) fn check(wasm: &[u8], max_memory: ByteSize) -> Result<(), InvokeError> {
    // Counted for each module of a component by itself. Each module begins with a header of its own.
    let mut declared = DeclaredSizes::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::Version { .. }) => declared = DeclaredSizes::default(),
            Ok(payload) => declared.read(payload).unwrap_or_default(),
            Err(_) => break,
        }
        declared.check(max_memory)?;
    }
    check_parts(wasm)
}

fn check_parts(wasm: &[u8]) -> Result<(), InvokeError> {
    let detail = match parts(wasm) {
        None => "the component instantiates a component that it imports or that an instance exports, so its instances \
                 cannot be counted; define that component where it is instantiated"
            .to_owned(),
        Some(PartCounts { core_instances, .. }) if core_instances > u64::from(CORE_INSTANCES) => {
            format!("the component has {core_instances} core instances; a function has at most {CORE_INSTANCES}")
        }
        Some(PartCounts { definitions, .. }) if definitions > MAX_DEFINITIONS => format!(
            "the component has {definitions} definitions, where those of a nested component count once for each of its \
             instances; a function has at most {MAX_DEFINITIONS}"
        ),
        Some(_) => return Ok(()),
    };
    Err(InvokeError::new(ErrorKind::InvalidModule, detail))
}

/// The memories and tables that one module declares, and their initial sizes in total.
#[derive(Default)]
struct DeclaredSizes {
    is_shared: bool,
    memories: u32,
    bytes: u64,
    tables: u32,
    elements: u64,
}

impl DeclaredSizes {
    fn read(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::MemorySection(memories) => memories.into_iter().try_for_each(|memory| {
                self.memory(&memory?);
                Ok(())
            }),
            Payload::TableSection(tables) => tables.into_iter().try_for_each(|table| {
                self.table(&table?.ty);
                Ok(())
            }),
            Payload::ImportSection(imports) => imports.into_imports().try_for_each(|import| {
                self.is_shared |= matches!(import?.ty, TypeRef::Memory(memory) if memory.shared);
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn memory(&mut self, memory: &MemoryType) {
        let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
        self.is_shared |= memory.shared;
        self.memories += 1;
        self.bytes = self.bytes.saturating_add(memory.initial.saturating_mul(page));
    }

    fn table(&mut self, table: &TableType) {
        self.tables += 1;
        self.elements = self.elements.saturating_add(table.initial);
    }

    fn check(&self, max_memory: ByteSize) -> Result<(), InvokeError> {
        let Self { is_shared, memories, bytes, tables, elements } = *self;
        let max_elements = MAX_TABLE_ELEMENTS as u64;
        let detail = if is_shared {
            proposals::shared_memory()
        } else if bytes > max_memory.as_u64() {
            let declared = if memories == 1 { "a memory" } else { "memories" };
            let (bytes, max_memory) = texts_of_sizes(bytes, max_memory);
            format!("the module declares {declared} of {bytes}; a function has at most {max_memory} here")
        } else if elements > max_elements {
            let declared = if tables == 1 { "a table" } else { "tables" };
            format!("the module declares {declared} of {elements} elements; a function has at most {max_elements}")
        } else {
            return Ok(());
        };
        Err(InvokeError::new(ErrorKind::InvalidModule, detail))
    }
}

/// The texts of two different sizes. If rounding would make them look the same, both are written in bytes.
fn texts_of_sizes(bytes: u64, max: ByteSize) -> (String, String) {
    let rounded = (ByteSize(bytes).to_string(), max.to_string());
    if rounded.0 == rounded.1 { (format!("{bytes} bytes"), format!("{} bytes", max.as_u64())) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(wat: &str) -> Option<String> {
        check(&wat::parse_str(wat).unwrap(), ByteSize::mib(2)).err().map(|error| error.detail().to_owned())
    }

    #[test]
    fn a_module_within_the_limits_is_not_refused() {
        let fitting = [
            "(module)",
            "(module (memory 32) (table 100000 funcref))",
            "(module (memory i64 16 0x1000000000000) (memory 16))",
            "(component (core module (memory 32)) (core module (memory 32) (table 100000 externref)))",
        ];
        fitting.into_iter().for_each(|wat| assert_eq!(refusal(wat), None, "{wat}"));
    }

    #[test]
    fn a_module_over_a_limit_is_refused_with_the_number() {
        let memory = "the module declares a memory of 2.1 MiB; a function has at most 2.0 MiB here";
        let memories = "the module declares memories of 2.1 MiB; a function has at most 2.0 MiB here";
        let table = "the module declares a table of 100001 elements; a function has at most 100000";
        let shared = proposals::shared_memory();
        let refused = [
            ("(module (memory 33))", memory),
            ("(component (core module (memory 1)) (core module (memory 33)))", memory),
            ("(module (memory 16) (memory i64 17))", memories),
            ("(module (table 100001 funcref))", table),
            ("(module (memory 1 1 shared))", &shared),
            ("(module (import \"env\" \"memory\" (memory 1 1 shared)))", &shared),
            (
                "(module (memory i64 0xffffffffffff) (memory i64 0xffffffffffff))",
                "the module declares memories of 16.0 EiB; a function has at most 2.0 MiB here",
            ),
        ];
        refused.into_iter().for_each(|(wat, detail)| assert_eq!(refusal(wat).as_deref(), Some(detail), "{wat}"));
    }

    #[test]
    fn a_size_that_is_a_little_too_large_is_written_in_bytes() {
        let wasm = wat::parse_str("(module (memory 33))").unwrap();
        let refused = check(&wasm, ByteSize(33 * 65536 - 1)).unwrap_err();
        let detail = "the module declares a memory of 2162688 bytes; a function has at most 2162687 bytes here";
        assert_eq!(refused.detail(), detail);
    }

    #[test]
    fn a_binary_that_is_not_webassembly_is_left_to_the_compiler() {
        assert!(check(b"\0asm\x01\0\0\0\x05\xff", ByteSize::mib(1)).is_ok());
    }
}
