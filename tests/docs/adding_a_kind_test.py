#!/usr/bin/python3
"""docs/adding-a-kind.md is all that a kind takes: its files, as they stand there, make one that works.

They are put into a copy of the tree: a mount namespace in which this folder is seen through a copy-on-write layer that lives
in memory, so that what is built already need not be built again, and nothing is left behind.
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

from console import PROGRAM, Shell, play
from pages import DOCS, ROOT

PAGE = DOCS / "adding-a-kind.md"
INSIDE = "OCIM_IN_COPY"
LAYER = "/run"  # in the copy's mount namespace a memory file system of its own
PLACES = re.compile(r"crd-schemas/\w+\.yaml|reconcilers/watchlists/\w+\.[ch]pp|manifests/samples/\w+\.yaml")
FILE = re.compile(r"(?ms)^\*\*`([^`]+)`\*\*( \(lines\))?\n\n```\w+\n(.*?)^```$")


def enter_copy():
    """Begins this script anew where ROOT is a copy of itself."""
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])


def lay_copy():
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", LAYER], check=True)
    upper, work = pathlib.Path(LAYER, "upper"), pathlib.Path(LAYER, "work")
    upper.mkdir()
    work.mkdir()
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={ROOT},upperdir={upper},workdir={work}", ROOT], check=True)
    os.chdir(ROOT)


def added(text, line):
    """The text with the line before the first of its sort that sorts after it, or after the last one."""
    sort = re.match(r"\s*#include \"|\s+", line)[0] if line.startswith((" ", "#")) else ""
    sort_of = (lambda other: other.startswith(sort) and "::register_kinds(" in other) if "::" in line else (
        lambda other: other.startswith(sort) and "/" in other)
    lines = text.splitlines()
    likes = [number for number, other in enumerate(lines) if sort_of(other)]
    place = next((number for number in likes if lines[number] > line), likes[-1] + 1)
    return "\n".join([*lines[:place], line, *lines[place:]]) + "\n"


class AddingAKind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lay_copy()
        cls.files = [(path, lines, text) for path, lines, text in FILE.findall(PAGE.read_text())]
        for path, lines, text in cls.files:
            file = ROOT / path
            if lines:
                for line in text.splitlines():
                    file.write_text(added(file.read_text(), line))
            else:
                file.parent.mkdir(exist_ok=True)
                file.write_text(text)

    def test_a_line_comes_where_its_likes_are(self):
        text = '#include "register.hpp"\n\n#include "a/register.hpp"\n#include "c/register.hpp"\n\n    a::register_kinds(m);\n    c::register_kinds(m);\n}\n'
        self.assertEqual(added(added(text, '#include "b/register.hpp"'), "    d::register_kinds(m);"),
                         '#include "register.hpp"\n\n#include "a/register.hpp"\n#include "b/register.hpp"\n#include "c/register.hpp"\n\n'
                         "    a::register_kinds(m);\n    c::register_kinds(m);\n    d::register_kinds(m);\n}\n")

    def test_it_takes_its_crd_its_folder_its_line_and_its_sample(self):
        new = {path for path, lines, _ in self.files if not lines}
        self.assertEqual({path for path in new if not PLACES.fullmatch(path)}, set())
        changed = [(path, text.splitlines()) for path, lines, text in self.files if lines]
        self.assertEqual([path for path, _ in changed], ["reconcilers/register.cpp"])
        (_, lines), = changed
        self.assertEqual([line for line in lines if not line.startswith("#include")], ["    watchlists::register_kinds(manager);"])

    def test_it_works(self):
        built = subprocess.run(["ninja", "-C", pathlib.Path(PROGRAM).parent, "-j", "2", "ocim"], capture_output=True, text=True, check=False)
        self.assertEqual(built.returncode, 0, built.stdout[-6000:])
        with Shell(ROOT) as shell:
            wrong, count = play(shell, PAGE, of="console copy")
        self.assertEqual("\n".join(wrong), "")
        self.assertGreater(count, 10)

    def test_it_is_described_and_in_order(self):
        subprocess.run(["script/reference"], check=True)
        self.assertIn("| `spec.pages[].url` | string |", (DOCS / "reference" / "watchlist.md").read_text())
        for command in (["/usr/bin/python3", "tests/unit/crd/described.py", "crd-schemas"], ["/usr/bin/python3", "tests/architecture.py", "."],
                        ["clang-format-19", "--dry-run", "-Werror", *(path for path, _, _ in self.files if path.endswith("pp"))]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{command[:2]}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_copy()
    unittest.main()
