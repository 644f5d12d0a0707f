#!/usr/bin/python3
"""What a stage says of processes that end before they are told to."""
import contextlib
import io
import pathlib
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "script"))
from stage import Fallen, Stage  # noqa: E402


class EndsOfProcesses(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ocim-stage-")
        self.addCleanup(folder.cleanup)
        self.stage = Stage(folder.name)

    def said_by_stopping(self, **how):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.stage.stop("it", **how)
        return said.getvalue()

    def start(self, script):
        return self.stage.start("it", ["sh", "-c", script])

    def test_its_last_words_and_how_it_ended_are_told(self):
        for script, how in (("exit 3", "exit status 3"), ("kill -ABRT $$", "SIGABRT"), ("kill -KILL $$", "SIGKILL")):
            self.start(f"echo an assertion fails >&2; {script}").wait(30)
            said = self.said_by_stopping()
            self.assertIn(f"it had ended by itself, with {how};", said)
            self.assertIn("an assertion fails", said)

    def test_who_is_told_to_end_is_not_news(self):
        self.start("exec sleep 60")
        self.assertEqual(self.said_by_stopping(), "")
        self.start("exec sleep 60").send_signal(signal.SIGKILL)
        self.stage.processes["it"].wait(30)
        self.assertEqual(self.said_by_stopping(), "")

    def test_who_was_killed_is_buried_and_who_fell_is_a_failure(self):
        self.start("exec sleep 60")
        self.stage.kill("it")
        self.assertEqual(self.stage.processes, {})
        for script in ("kill -ABRT $$", "kill -KILL $$"):
            self.start(f"echo an assertion fails >&2; {script}").wait(30)
            with self.assertRaisesRegex(Fallen, "an assertion fails"):
                self.stage.bury("it")


if __name__ == "__main__":
    unittest.main()
