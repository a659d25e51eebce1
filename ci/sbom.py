#!/usr/bin/env python3
"""Lists the crates that one program is made of, as a CycloneDX document on stdout.

    ci/sbom.py CRATE DOCUMENT

DOCUMENT is what cargo-cyclonedx wrote for CRATE. Cargo gives that tool the features that all crates of the workspace
enable together, so that it lists the compiler for `bootstrap` too. This script removes each crate that `cargo tree` does
not list for CRATE.
"""

import json
import subprocess
import sys


def crates_of(crate):
    tree = ["cargo", "tree", "--locked", "--package", crate, "--edges", "normal", "--target", "all", "--prefix", "none"]
    lines = subprocess.run(tree, check=True, capture_output=True, text=True).stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in (line.split() for line in lines if line)}


def main(crate, document):
    with open(document, encoding="utf-8") as file:
        bom = json.load(file)
    crates = crates_of(crate)
    bom["components"] = [part for part in bom["components"] if (part["name"], part["version"]) in crates]
    left = {part["bom-ref"] for part in [bom["metadata"]["component"], *bom["components"]]}
    bom["dependencies"] = [
        {**edge, "dependsOn": [to for to in edge.get("dependsOn", []) if to in left]}
        for edge in bom["dependencies"]
        if edge["ref"] in left
    ]
    json.dump(bom, sys.stdout, indent=1)


main(*sys.argv[1:])
