#!/usr/bin/python3
"""What pages show as a session in a terminal is what comes out when it is done."""
import unittest

from console import Shell, agrees, play, session
from pages import ROOT, name, written


class Sessions(unittest.TestCase):
    maxDiff = None

    def test_every_page_prints_what_it_shows(self):
        played = []
        for page in written():
            if not any(session(page.read_text())):
                continue
            with self.subTest(page=name(page)), Shell(ROOT) as shell:
                wrong, count = play(shell, page)
                self.assertEqual("\n".join(wrong), "")
                played.append((name(page), count))
        self.assertTrue(played, "no page shows a session")

    def test_what_is_shown_is_compared(self):
        cases = (
            ("the same", "a  b\nc", "a b\nc\n", True),
            ("another age", "x 2m13s", "x 4s\n", True),
            ("another number", "x 2", "x 4\n", False),
            ("anything within a line", "a … c", "a b c\n", True),
            ("any lines", "a\n…\nc", "a\nb\nb\nc\n", True),
            ("no lines", "a\n…", "a\n", True),
            ("a line too many", "a", "a\nb\n", False),
            ("a line too few", "a\nb", "a\n", False),
            ("nothing", "", "", True),
            ("something instead of nothing", "", "a\n", False),
            ("letters of patterns are letters", "a.c", "abc\n", False),
        )
        for reason, shown, printed, agree in cases:
            self.assertEqual(agrees(shown, printed), agree, reason)

    def test_commands_are_found_in_a_page(self):
        page = "```console\n$ a <<E\n> b\n> E\nc\n$ d\n```\n```sh\n$ not this\n```\n"
        self.assertEqual(list(session(page)), [("a <<E\nb\nE", "c"), ("d", "")])


if __name__ == "__main__":
    unittest.main()
