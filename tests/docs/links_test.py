#!/usr/bin/python3
"""Every link of README.md and docs/ leads somewhere, and every page is found from docs/README.md."""
import unittest
import urllib.parse

from pages import DOCS, ROOT, anchors, links, name, pages, prose


def leads_nowhere(page, target):
    """Why a link within the repository is broken; None when it is not."""
    path, _, anchor = target.partition("#")
    file = (page.parent / urllib.parse.unquote(path)).resolve() if path else page
    if not file.exists():
        return "there is no such file"
    if not file.is_relative_to(ROOT):
        return "is outside of the repository"
    if anchor and anchor not in anchors(file.read_text()):
        return "there is no such heading"
    return None


class Links(unittest.TestCase):
    maxDiff = None

    def test_each_leads_somewhere(self):
        broken = [f"{name(page)}: {target}: {why}" for page in pages() for target in links(page.read_text())
                  if not urllib.parse.urlsplit(target).scheme and (why := leads_nowhere(page, target))]
        self.assertEqual(broken, [])

    def test_every_block_of_code_ends(self):
        # one that holds a block of its own needs a longer fence, else all that follows is code
        open_ = [f"{name(page)}: {line}" for page in pages() for line in prose(page.read_text()).splitlines()
                 if line.lstrip().startswith("```")]
        self.assertEqual(open_, [])

    def test_those_elsewhere_are_by_https(self):
        plain = [f"{name(page)}: {target}" for page in pages() for target in links(page.read_text())
                 if urllib.parse.urlsplit(target).scheme not in ("", "https")]
        self.assertEqual(plain, [])

    def test_they_are_found_in_a_text(self):
        text = "# A `b`: c\n[x](y.md#z) `[not](this)`\n## A b: c\n```\n[nor](that)\n```\n[w](<v>) [u](t_(s).md)\n"
        self.assertEqual(links(text), ["y.md#z", "<v>", "t_(s).md"])
        self.assertEqual(anchors(text), {"a-b-c", "a-b-c-1"})

    def test_every_page_is_in_the_index(self):
        for index, folder in ((DOCS / "README.md", DOCS), (DOCS / "reference" / "README.md", DOCS / "reference")):
            named = {target.partition("#")[0] for target in links(index.read_text())}
            there = {file.name for file in folder.glob("*.md")} - {"README.md"}
            self.assertEqual(there - named, set(), f"{name(index)} does not name them")

    def test_readme_points_to_the_index_and_the_reference(self):
        self.assertLessEqual({"docs/README.md", "docs/reference/README.md"}, set(links((ROOT / "README.md").read_text())))


if __name__ == "__main__":
    unittest.main()
