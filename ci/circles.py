#!/usr/bin/env python3
"""Fails where two files or two folders of a crate import each other, or a room of nebula-runtime imports one above it.

- The entries of each folder are compared with one another. A folder is one entry, with all that is in it. Its `mod.rs`
  is an entry of its own inside of it.
- A file imports from where a thing lives (`crate::call::Body`), not from the crate's root, which re-exports everything:
  otherwise an import does not show what it needs.
- The rooms of nebula-runtime have an order, and a room imports only from those below it.

It reads `use` declarations, and the paths in the code, as text that rustfmt has formatted. A path through a re-export
leads to what is re-exported. A re-export itself is no import, unless its file uses the name too. Tests may import
anything.
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
    """A file: what it declares, and what it uses."""

    path: tuple  # the names that lead to it from the crate's root
    file: pathlib.Path
    children: list
    defined: set
    names: dict = dataclasses.field(default_factory=dict)  # what `use` declarations bring in: name -> path
    globs: list = dataclasses.field(default_factory=list)
    used: list = dataclasses.field(default_factory=list)  # (line, path)

    @classmethod
    def read(cls, path, file):
        text = without_tests(TEXT_OR_COMMENT.sub(blank, file.read_text(encoding="utf-8")))
        # A module inside of the file is a part of the file.
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
    """As many lines, with nothing on them."""
    return "\n" * found[0].count("\n")


def line_of(text, position):
    return 1 + text.count("\n", 0, position)


def without_tests(text):
    """The text without its tests: an item ends with the first line of its own indentation that closes something."""
    while test := TEST.search(text):
        end = re.compile(rf"^{test[1]}(?! )[^\n]*[;,}}] *$", re.M).search(text, test.end())
        text = text[: test.start()] + blank([text[test.start() : end.end()]]) + text[end.end() :]
    return text


def expanded(tree):
    """Yields (name, path) of everything that a `use` names: `a::{b, c as d}` is `a::b` and, as `d`, `a::c`."""
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
    """The modules of one crate, from its `lib.rs` or `main.rs` on."""

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
        """The file that the thing at the end of a path lives in, as `module` sees the path; None for a module, and for a
        thing of another crate."""
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
        """Yields (importer, line, path, imported) of all that one file takes from another, once for each two files."""
        told = set()
        for module in self.modules.values():
            for line, path in module.used:
                found = self.find(module, path)
                if found and found is not module and (module.path, found.path) not in told:
                    told.add((module.path, found.path))
                    yield module, line, "::".join(path), found

    def hidden(self):
        """Yields (importer, line, path, where it lives) of what is taken from the crate's root and lives elsewhere."""
        root = self.modules[()]
        for module in filter(lambda module: module is not root, self.modules.values()):
            for line, path in module.used:
                ups = ("super",) * len(module.path)
                rest = path[1:] if path[0] == "crate" else path[len(ups) :] if path[: len(ups)] == ups else ()
                if rest and rest[0] in root.names and rest[0] not in root.children:
                    place = tuple(part for part in root.names[rest[0]] if part not in ("crate", "self"))
                    yield module, line, "::".join(path), "::".join(("crate", *place))


def circles(arrows):
    """The groups of entries that lead to each other: `arrows` has, for each entry, those that it leads to."""

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
    """Yields a text for each thing that is wrong in the crate of this `lib.rs` or `main.rs`."""
    crate = Crate(root)
    folders = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    for importer, line, path, imported in crate.imports():
        told = f"{importer.file}:{line} takes {path} from {imported.file}"
        together = next((n for n, (one, other) in enumerate(zip(importer.path, imported.path)) if one != other), None)
        together = min(len(importer.path), len(imported.path)) if together is None else together
        one, other = importer.path[together : together + 1], imported.path[together : together + 1]
        folders[importer.path[:together]][one][other].append(told)
        if together == 0 and one and other and rooms.count(one[0]) and rooms.count(other[0]):
            if rooms.index(one[0]) > rooms.index(other[0]):
                yield f"{told}, a room above its own"
    for folder, arrows in folders.items():
        for group in circles(arrows):
            pairs = [(one, other) for one in sorted(group) for other in sorted(group)]
            told = [f"  {place}" for one, other in pairs for place in arrows[one].get(other, ())]
            yield "\n".join([f"{'/'.join(folder) or 'the top'} of {root.parent} has a circle:", *told])
    for importer, line, path, place in crate.hidden():
        yield f"{importer.file}:{line} takes {path} from the crate's root: it is {place}"
    for name in crate.modules[()].children if rooms else ():
        if name not in rooms:
            yield f"{root}: {name} has no place in the order of rooms (ROOMS in {pathlib.Path(__file__).name})"


def main():
    wrong = []
    for member in tomllib.loads(pathlib.Path("Cargo.toml").read_text(encoding="utf-8"))["workspace"]["members"]:
        for folder in sorted(pathlib.Path().glob(member)):
            for root in filter(pathlib.Path.exists, (folder / "src/lib.rs", folder / "src/main.rs")):
                wrong += check(root, ROOMS.get(folder.name, []))
    print("\n".join([*wrong, f"{len(wrong)} imports or circles of imports are wrong"]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
