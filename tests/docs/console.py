"""Runs what a page shows in its blocks ```console, in their order and in one shell, and compares what comes out.

A line that begins with "$ " is a command, "> " goes on with it; what follows is its output. In the output "…" stands for
anything in its line, alone in a line for any number of lines; ages and times stand for any other, and how far columns
are apart means nothing. A block ```sh is not run, ```console copy by adding_a_kind_test.py only.

The shell has a network of its own, in which the default ports are free, a home directory of its own, and `ocim` and
`kubectl` on its path. Whatever it started ends with it.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from pages import ROOT, blocks, name

PROGRAM = os.environ.get("OCIM") or str(ROOT / "build" / "ocim")
KUBECTL = os.environ.get("KUBECTL") or str(ROOT / ".deps" / "kubectl" / "kubectl")
COMMAND_SECONDS = 120
TIMES = re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z|\b(?:\d+(?:\.\d+)?(?:ms|[dhms]))+\b|<invalid>")


def session(text, of="console"):
    """(command, what it should print) of each command of the page."""
    for language, block in blocks(text):
        if language != of:
            continue
        command, output = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command is not None:
                    yield command, "\n".join(output)
                command, output = line[2:], []
            elif line.startswith("> ") and command is not None and not output:
                command += "\n" + line[2:]
            elif command is None:
                raise AssertionError(f"a block begins without a command: {line}")
            else:
                output.append(line)
        yield command, "\n".join(output)


def plain(line):
    return " ".join(TIMES.sub("TIME", line).split())


def pattern(expected):
    """A regular expression for the lines that `expected` allows."""
    out = []
    for line in expected.strip("\n").splitlines():
        if line.strip() == "…":
            out.append(r"(?:[^\n]*\n)*?")
        else:
            out.append(".*".join(re.escape(part) for part in plain(line).split("…")) + r"\n")
    return re.compile("".join(out))


def agrees(expected, printed):
    text = "".join(plain(line) + "\n" for line in printed.strip("\n").splitlines())
    return bool(pattern(expected).fullmatch(text))


class Shell:
    """One bash for a whole page."""

    def __init__(self, folder):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ocim-page-"))
        (self.home / "bin").mkdir()
        for command, program in (("ocim", PROGRAM), ("kubectl", KUBECTL)):
            (self.home / "bin" / command).symlink_to(program)
        self.script, self.output = self.home / ".command", self.home / ".output"
        environment = {"HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "dumb",
                       "PATH": f"{self.home}/bin:{os.environ['PATH']}"}
        self.process = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "--norc"], cwd=folder,
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)
        self.run("ip link set lo up; shopt -s expand_aliases")

    def run(self, command):
        """(exit status, what it printed)."""
        self.script.write_text(command + "\n")
        self.output.write_bytes(b"")
        self.process.stdin.write(f". {self.script} </dev/null >{self.output} 2>&1; echo $?\n")
        self.process.stdin.flush()
        return int(self._line(command)), self.output.read_text()

    def _line(self, command):
        def late(*_):
            raise AssertionError(f"not within {COMMAND_SECONDS} s: {command}\n{self.output.read_text()}")
        signal.signal(signal.SIGALRM, late)
        signal.alarm(COMMAND_SECONDS)
        try:
            return self.process.stdout.readline() or "1"
        finally:
            signal.alarm(0)

    def close(self):
        self.process.kill()  # unshare: whatever is in its process namespace goes with it
        self.process.communicate()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def play(shell, page, of="console"):
    """Runs the page; the commands that did otherwise than it shows, and how many there were."""
    wrong, count = [], 0
    for command, expected in session(page.read_text(), of):
        began = time.monotonic()
        status, printed = shell.run(command)
        count += 1
        print(f"{name(page)}: {time.monotonic() - began:5.1f} s  {command.splitlines()[0]}", flush=True)
        if not agrees(expected, printed) or (status and not expected):  # an error that is shown is meant
            wrong.append(f"{name(page)}\n$ {command}   (exit {status})\n--- the page says\n{expected}\n--- it printed\n{printed}")
    return wrong, count


if __name__ == "__main__":  # what a page says by hand: console.py docs/first-hour.md
    with Shell(ROOT) as one:
        sys.exit("\n".join(play(one, pathlib.Path(sys.argv[1]).resolve())[0]))
