"""Tests of circles.py."""
import pathlib
import tempfile
import unittest

import circles


def faults(files, rooms=()):
    """The faults of a crate with these files. Paths are relative to the crate's folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            file = pathlib.Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return [text.replace(f"{folder}/", "") for text in circles.check(pathlib.Path(folder, "lib.rs"), rooms)]


ROOT = "mod a;\nmod b;\n"
B = "use crate::a::A;\n\npub(crate) struct B(A);\n"


class Circles(unittest.TestCase):
    def assert_circle(self, files, *arrows):
        messages = faults(files)
        self.assertEqual(len(messages), 1, messages)
        self.assertEqual(messages[0].splitlines()[1:], [f"  {arrow}" for arrow in arrows])

    def test_two_files_that_import_each_other(self):
        files = {"lib.rs": ROOT, "a.rs": "use crate::b::B;\n\npub(crate) struct A;\n", "b.rs": B}
        self.assert_circle(files, "a.rs:1 imports crate::b::B from b.rs", "b.rs:1 imports crate::a::A from a.rs")

    def test_a_path_without_a_use(self):
        a = 'const LINE: &str = "//";\n\nfn f(b: &super::b::B) {}\n'
        files = {"lib.rs": ROOT, "a.rs": a, "b.rs": "fn g() {\n    crate::a::f()\n}\n"}
        self.assert_circle(files, "a.rs:3 imports super::b::B from b.rs", "b.rs:2 imports crate::a::f from a.rs")

    def test_a_re_export_and_braces_over_several_lines(self):
        files = {
            "lib.rs": ROOT,
            "a.rs": "use std::fmt;\nuse crate::{\n    b::{\n        self, Other as O,\n        inner::{Deep},\n    },\n};\n",
            "b/mod.rs": "mod inner;\n\npub(crate) use self::inner::{Deep, Other};\n",
            "b/inner.rs": "use crate::a;\n\nfn f() {\n    a::A::new()\n}\n",
        }
        down, up = "a.rs:2 imports crate::b::Other from b/inner.rs", "b/inner.rs:4 imports a::A::new from a.rs"
        self.assert_circle(files, down, up)

    def test_two_folders_in_a_circle_whose_files_are_not(self):
        files = {
            "lib.rs": ROOT,
            "a/mod.rs": "mod one;\nmod two;\n",
            "a/one.rs": "use crate::b::two::Two;\n",
            "a/two.rs": "pub(crate) struct Two;\n",
            "b/mod.rs": "mod one;\nmod two;\n",
            "b/one.rs": "use crate::a::two::Two;\n",
            "b/two.rs": "pub(crate) struct Two;\n",
        }
        down = "a/one.rs:1 imports crate::b::two::Two from b/two.rs"
        self.assert_circle(files, down, "b/one.rs:1 imports crate::a::two::Two from a/two.rs")

    def test_a_folder_and_its_mod_rs(self):
        b = "use super::A;\n\npub(super) struct B;\n"
        files = {"lib.rs": "mod a;\n", "a/mod.rs": "mod b;\n\nuse b::B;\n\nstruct A(B);\n", "a/b.rs": b}
        self.assert_circle(files, "a/mod.rs:3 imports b::B from a/b.rs", "a/b.rs:1 imports super::A from a/mod.rs")

    def test_a_re_export_is_not_an_import_and_tests_may_import_anything(self):
        tests = "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n"
        method = "impl A {\n    #[cfg(test)]\n    fn f(b: crate::b::B) {\n    }\n}\n"
        files = {"lib.rs": ROOT, "a.rs": f"// crate::b::B\npub(crate) struct A;\n\n{method}\n{tests}", "b.rs": B}
        self.assertEqual(faults(files), [])
        a = "mod b;\n\npub(crate) use b::B;\n\npub(crate) trait A {}\n"
        files = {"lib.rs": "mod a;\n", "a/mod.rs": a, "a/b.rs": "use super::A;\n"}
        self.assertEqual(faults(files), [])

    def test_an_import_from_the_root_and_one_from_a_room_above(self):
        files = {"lib.rs": f"{ROOT}\npub use a::A;\n", "a.rs": "pub struct A;\n", "b.rs": "use crate::A;\n"}
        message = "b.rs:1 imports crate::A from the crate's root: import crate::a::A"
        self.assertEqual(faults(files, ["b", "a"]), [message])
        self.assertEqual(faults(files, ["a", "b"]), ["b.rs:1 imports crate::A from a.rs, a room above its own", message])

    def test_a_room_without_a_place_in_the_order(self):
        files = {"lib.rs": ROOT, "a.rs": "", "b.rs": ""}
        self.assertEqual(faults(files, ["a"]), ["lib.rs: b has no place in the order of rooms (ROOMS in circles.py)"])


if __name__ == "__main__":
    unittest.main()
