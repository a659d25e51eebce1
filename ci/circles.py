#!/usr/bin/env python3
"""Checks that no two files or folders of a crate import each other, and that no room of nebula-runtime imports a room
above it.

- In each folder, the script compares the entries with each other. A subfolder counts as one entry, with everything in it.
  A folder's `mod.rs` counts as an entry of that folder.
- A file must import a type from the file that defines it (`crate::call::Body`) and not from the crate's root, which
  re-exports everything. So each import shows what the file depends on.
- The rooms of nebula-runtime have an order. A room imports only from the rooms below it.

The script reads `use` declarations and paths from the text, which rustfmt must have formatted. A path through a re-export
counts as a path to the original definition. A re-export does not count as an import, unless its file also uses the name.
Tests may import anything.
"""
import collections
import dataclasses
import pathlib
import re
import sys
import tomllib

ROOMS = {
    "nebula-runtime": ["test_kit", "runtime", "registry", "guest", "host", "engine", "store", "layers", "call", "function", "sync"],
}

TEXT_OR_COMMENT = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | \bb?r(?P<hashes>\#*)".*?"(?P=hashes) | "(?:\\.|[^"\\])*"
    | '(?:\\[^\n]*?|[^'\\\n])'""",
    re.S | re.X,
)
TEST = re.compile(r"^( *)#\[cfg\((?:test|all\(test,[^\n]*)\)\]\n", re.M)
INNER_MODULE = re.compile(r"^mod \w+ \{\n.*?^\}", re.M | re.S)
CHILD = re.compile(r"^(?:pub(?:\([^)]*\))? )?mod (\w+);", re.M)
USE = re.compile(r"^ *(pub(?:\([^)]*\))? )?use ([^;]+);", re.M)
DEFINITION = re.compile(
    r"^(?:pub(?:\([^)]*\))? )?(?:async |const |unsafe )*"
    r"(?:fn|struct|enum|union|trait|type|const|static|macro_rules!) (\w+)",
    re.M,
)
PATH = re.compile(r"(?<![\w:])\w+(?:::\w+)+")


@dataclasses.dataclass
class Module:
    """A file, with its declarations and the paths that it uses."""

    path: tuple  # its names, from the crate's root
    file: pathlib.Path
    children: list
    defined: set
    names: dict = dataclasses.field(default_factory=dict)  # the imports of `use` declarations: name -> path
    globs: list = dataclasses.field(default_factory=list)
    used: list = dataclasses.field(default_factory=list)  # (line, path)

    @classmethod
    def read(cls, path, file):
        text = without_tests(TEXT_OR_COMMENT.sub(blank, file.read_text(encoding="utf-8")))
        # An inline module belongs to its file.
        text = INNER_MODULE.sub(lambda inner: inner[0].replace("super::", "self::"), text)
        module = cls(path, file, CHILD.findall(text), set(DEFINITION.findall(text)))
        code = USE.sub(blank, text)
        for use in USE.finditer(text):
            for name, place in expanded(" ".join(use[2].split())):
                if name == "*":
                    module.globs.append(place)
                else:
                    module.names[name] = place
                if not use[1] or re.search(rf"\b{name}\b", code):
                    module.used.append((line_of(text, use.start(2)), place))
        module.used += [(line_of(code, path.start()), tuple(path[0].split("::"))) for path in PATH.finditer(code)]
        return module


def blank(found):
    """The same number of empty lines."""
    return "\n" * found[0].count("\n")


def line_of(text, position):
    return 1 + text.count("\n", 0, position)


def without_tests(text):
    """The text without its tests. An item ends at the first closing line with the same indentation."""
    while test := TEST.search(text):
        end = re.compile(rf"^{test[1]}(?! )[^\n]*[;,}}] *$", re.M).search(text, test.end())
        text = text[: test.start()] + blank([text[test.start() : end.end()]]) + text[end.end() :]
    return text


def expanded(tree):
    """Yields (name, path) for each import of a `use`: for `a::{b, c as d}`, `a::b` as `b` and `a::c` as `d`."""
    before, brace, inside = tree.partition("{")
    if not brace:
        path, _, name = tree.partition(" as ")
        parts = tuple(part for part in path.strip().split("::") if part)
        name, parts = (parts[-1], parts[:-1]) if parts[-1] in ("*", "self") and len(parts) > 1 else (name, parts)
        yield name.replace("self", "") or parts[-1], parts
        return
    depth, part = 0, ""
    for character in inside.rpartition("}")[0] + ",":
        depth += (character == "{") - (character == "}")
        if character != "," or depth:
            part += character
        elif part.strip():
            yield from expanded(before + part.strip())
            part = ""


class Crate:
    """All modules of a crate, starting from its `lib.rs` or `main.rs`."""

    def __init__(self, root):
        self.modules = {}
        self.load((), root, root.parent)

    def load(self, path, file, folder):
        module = self.modules[path] = Module.read(path, file)
        for child in module.children:
            for candidate in (folder / f"{child}.rs", folder / child / "mod.rs"):
                if candidate.exists():
                    self.load((*path, child), candidate, folder / child)

    def find(self, module, path, seen=frozenset()):
        """The file that defines the last name of a path that `module` uses. None if the path names a module, or another
        crate."""
        first, rest = path[0], path[1:]
        if (module.path, path) in seen:
            return None
        seen |= {(module.path, path)}
        if first == "crate":
            return self.below(self.modules[()], rest, seen)
        if first in ("self", "super"):
            place = module.path if first == "self" else module.path[:-1]
            return self.below(self.modules[place], rest, seen)
        own = (*module.path, first) in self.modules or module.names.get(first, path)[0] != first
        return self.below(module, path, seen) if own else None

    def below(self, module, path, seen):
        if not path:
            return None
        if path[0] == "super":
            return self.below(self.modules[module.path[:-1]], path[1:], seen)
        if (*module.path, path[0]) in self.modules:
            return self.below(self.modules[*module.path, path[0]], path[1:], seen)
        if path[0] in module.defined:
            return module
        if path[0] in module.names:
            return self.find(module, module.names[path[0]] + path[1:], seen)
        found = (self.find(module, (*place, path[0]), seen) for place in module.globs)
        return next((place for place in found if place and path[0] in place.defined), module)

    def imports(self):
        """Yields (importer, line, path, imported) for each pair of files of which one imports the other."""
        known = set()
        for module in self.modules.values():
            for line, path in module.used:
                found = self.find(module, path)
                if found and found is not module and (module.path, found.path) not in known:
                    known.add((module.path, found.path))
                    yield module, line, "::".join(path), found

    def hidden(self):
        """Yields (importer, line, path, real path) for each import from the crate's root of a name that another file
        defines."""
        root = self.modules[()]
        for module in filter(lambda module: module is not root, self.modules.values()):
            for line, path in module.used:
                ups = ("super",) * len(module.path)
                rest = path[1:] if path[0] == "crate" else path[len(ups) :] if path[: len(ups)] == ups else ()
                if rest and rest[0] in root.names and rest[0] not in root.children:
                    place = tuple(part for part in root.names[rest[0]] if part not in ("crate", "self"))
                    yield module, line, "::".join(path), "::".join(("crate", *place))


def circles(arrows):
    """The groups of entries that import each other. `arrows` maps each entry to the entries that it imports."""

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            new = set(arrows.get(todo.pop(), ())) - seen
            seen |= new
            todo += new
        return seen

    reach = {entry: reached(entry) for entry in arrows}
    group = lambda entry: frozenset(other for other in reach[entry] if entry in reach.get(other, ()))
    return {group(entry) for entry in reach if entry in reach[entry]}


def check(root, rooms=()):
    """Yields a message for each fault in the crate with this `lib.rs` or `main.rs`."""
    crate = Crate(root)
    folders = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for importer, line, path, imported in crate.imports():
        message = f"{importer.file}:{line} imports {path} from {imported.file}"
        together = next((n for n, (one, other) in enumerate(zip(importer.path, imported.path)) if one != other), None)
        together = min(len(importer.path), len(imported.path)) if together is None else together
        one, other = importer.path[together : together + 1], imported.path[together : together + 1]
        folders[importer.path[:together]][one][other].append(message)
        if together == 0 and one and other and rooms.count(one[0]) and rooms.count(other[0]):
            if rooms.index(one[0]) > rooms.index(other[0]):
                yield f"{message}, a room above its own"
    for folder, arrows in folders.items():
        for group in circles(arrows):
            pairs = [(one, other) for one in sorted(group) for other in sorted(group)]
            messages = [f"  {message}" for one, other in pairs for message in arrows[one].get(other, ())]
            yield "\n".join([f"{'/'.join(folder) or 'the top'} of {root.parent} has a circle:", *messages])
    for importer, line, path, place in crate.hidden():
        yield f"{importer.file}:{line} imports {path} from the crate's root: import {place}"
    for name in crate.modules[()].children if rooms else ():
        if name not in rooms:
            yield f"{root}: {name} has no place in the order of rooms (ROOMS in {pathlib.Path(__file__).name})"


def main():
    faults = []
    for member in tomllib.loads(pathlib.Path("Cargo.toml").read_text(encoding="utf-8"))["workspace"]["members"]:
        for folder in sorted(pathlib.Path().glob(member)):
            for root in filter(pathlib.Path.exists, (folder / "src/lib.rs", folder / "src/main.rs")):
                faults += check(root, ROOMS.get(folder.name, []))
    print("\n".join([*faults, f"{len(faults)} imports or circles of imports are wrong"]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
