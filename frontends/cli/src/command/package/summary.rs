//! The content of a package, as the command prints it.

use nebula_runtime::{ByteSize, Digest, FunctionInfo, FunctionName, Kind, NewPackage, PackagedFunction};
use serde::Serialize;

use crate::print;

/// A function in a package.
#[derive(Debug, Serialize)]
pub(super) struct FunctionSummary<'a> {
    name: &'a FunctionName,
    version: u64,
    digest: Digest,
    kind: Kind,
    code_size: u64,
}

/// The functions of a package.
pub(super) fn functions(package: &NewPackage) -> Vec<FunctionSummary<'_>> {
    package.functions.iter().map(FunctionSummary::of).collect()
}

impl<'a> FunctionSummary<'a> {
    fn of(PackagedFunction { info, code_size }: &'a PackagedFunction) -> Self {
        let FunctionInfo { name, version, digest, kind, .. } = info;
        Self { name, version: *version, digest: *digest, kind: *kind, code_size: *code_size }
    }
}

/// The functions as a table.
pub(super) fn table(functions: &[FunctionSummary<'_>]) -> String {
    let header = ["FUNCTION", "VERSION", "KIND", "CODE", "DIGEST"].map(str::to_owned);
    let rows = functions.iter().map(|function| {
        let FunctionSummary { name, version, digest, kind, code_size } = function;
        let code = ByteSize(*code_size).to_string();
        [name.to_string(), version.to_string(), kind.to_string(), code, digest.to_string()]
    });
    print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}
