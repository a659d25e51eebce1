#!/usr/bin/env python3
"""Writes a CycloneDX document with the crates of one program to stdout.

    ci/sbom.py CRATE DOCUMENT [FEATURES]

DOCUMENT is the output of cargo-cyclonedx for CRATE. That tool uses the features that all crates of the workspace enable
together, so that its list for `bootstrap` has the compiler too. This script removes each crate that `cargo tree` does not
list for CRATE with FEATURES.
"""

import json
import subprocess
import sys


def crates_of(crate, features):
    tree = ["cargo", "tree", "--locked", "--package", crate, "--features", features]
    options = ["--edges", "normal", "--target", "all", "--prefix", "none"]
    lines = subprocess.run(tree + options, check=True, capture_output=True, text=True).stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in (line.split() for line in lines if line)}


def main(crate, document, features=""):
    with open(document, encoding="utf-8") as file:
        bom = json.load(file)
    crates = crates_of(crate, features)
    bom["components"] = [part for part in bom["components"] if (part["name"], part["version"]) in crates]
    kept = {part["bom-ref"] for part in [bom["metadata"]["component"], *bom["components"]]}
    bom["dependencies"] = [
        {**edge, "dependsOn": [to for to in edge.get("dependsOn", []) if to in kept]}
        for edge in bom["dependencies"]
        if edge["ref"] in kept
    ]
    json.dump(bom, sys.stdout, indent=1)


main(*sys.argv[1:])
