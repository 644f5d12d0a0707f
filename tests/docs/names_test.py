#!/usr/bin/python3
"""What README.md and docs/ call by name is there: commands and flags of `ocim`, metrics, files, kinds."""
import os
import pathlib
import re
import shlex
import subprocess
import unittest

import yaml

from pages import DOCS, ROOT, blocks, name, spans, written

PROGRAM = os.environ.get("OCIM") or str(ROOT / "build" / "ocim")
# flags of others that pages speak of without naming the program beside them
OF_OTHERS = {
    "docs/api.md": {"--prune", "--as"},  # kubectl
    "docs/dns.md": {"--txt-prefix", "--txt-wildcard-replacement"},  # external-dns
    "docs/migrating.md": {"--provider", "--domain-filter", "--source", "--interval", "--policy", "--dry-run", "--registry",
                          "--txt-owner-id", "--txt-prefix", "--txt-suffix", "--txt-wildcard-replacement"},  # external-dns
    "docs/monitoring.md": {"--web.enable-lifecycle"},  # Prometheus
    "docs/security.md": {"--user"},  # kubectl
}
METRIC = re.compile(r"\b(?:ocim|workqueue|controller_runtime|apiserver|rest_client|leader_election)_[a-z_]*[a-z]\b")
FOLDERS = "charts", "controller", "crd-schemas", "docs", "manifests", "reconcilers", "script", "tests", "cmake"


def help_of(*words):
    return subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, timeout=20, check=True).stdout


def flags_in(text):
    """What a --help tells: "  -n, --namespace NAMESPACE  …" is two flags."""
    return {flag for found in re.findall(r"^ +(?:(-[a-zA-Z]), )?(--[a-z-]+)", text, re.M) for flag in found if flag}


def flags_by_command():
    """command -> its flags."""
    names = re.findall(r"^  ([a-z-]+)  +\S", help_of().split("Commands:")[1].split("\n\n")[0], re.M)
    return {command: flags_in(help_of(command)) for command in names}


def is_ocim(word):
    return word.rpartition("/")[2] == "ocim"


def commands_in(text):
    """The words of each command of a line or more that calls `ocim`, without what comes before it."""
    lines = text.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):  # the others are what it prints
        lines = [line for line in lines if line.startswith("$ ")]
    for line in lines:
        try:
            line = re.sub(r"^(\$ |ExecStart=)", "", line)
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        command = []
        for word in [*words, ";"]:
            if word.rstrip(";") in ("", "|", "&&", "||", "&"):
                while command and (re.fullmatch(r"[A-Z_]+=.*", command[0]) or command[0] in ("sudo", "exec", "nohup")):
                    command = command[1:]
                if command and is_ocim(command[0]):
                    yield command[1:]
                command = []
            else:
                command.append(word.rstrip(";"))


def texts(page):
    """Where commands stand: blocks of shell, and what is in the type of programs between words."""
    text = page.read_text()
    return [block for language, block in blocks(text) if language.split(" ")[0] in ("", "sh", "bash", "console", "ini")] + spans(text)


class Names(unittest.TestCase):
    maxDiff = None

    def test_commands_are_found_in_a_text(self):
        self.assertEqual(list(commands_in("A=b sudo build/ocim serve --x \\\n  --y  # --z\ncd ocim && ocim logs a | wc; ocim-x q\n")),
                         [["serve", "--x", "--y"], ["logs", "a"]])
        self.assertEqual(list(commands_in("$ ocim serve\nocim says this\n")), [["serve"]])

    def test_every_command_and_flag_of_ocim_exists(self):
        known, seen, wrong = flags_by_command(), 0, []
        for page in written():
            for text in texts(page):
                for command, *words in (found for found in commands_in(text) if found):
                    if command.startswith("-") or command not in known:
                        if command not in ("COMMAND", "--help") and not command.startswith("<"):
                            wrong.append(f"{name(page)}: ocim {command}: no such command")
                        continue
                    flags = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
                    seen += len(flags)
                    wrong += [f"{name(page)}: ocim {command} {flag}: no such flag" for flag in flags if flag not in known[command]]
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 10, "hardly a flag was found: are commands still told apart?")

    def test_every_flag_that_stands_alone_is_one_of_ocim(self):
        known = set().union(*flags_by_command().values())
        wrong = [f"{name(page)}: {flag}" for page in written() for span in spans(page.read_text())
                 for flag in re.findall(r"^--[a-z][a-z.-]*", span)
                 if flag not in known | OF_OTHERS.get(name(page), set())]
        self.assertEqual(wrong, [])

    def test_every_metric_exists(self):
        sources = "".join(path.read_text() for room in ("controller", "reconcilers") for path in (ROOT / room).rglob("*.[ch]pp"))
        sources += "".join(path.read_text() for path in (ROOT / "crd-schemas").glob("*.yaml"))
        there = set(re.findall(r"\w+", sources))
        kinds = {yaml.safe_load(file.read_text())["spec"]["names"]["singular"] for file in (ROOT / "crd-schemas").glob("*.yaml")}
        there |= {f"ocim_{kind}_{state}" for kind in kinds for state in ("ready", "phase")}
        wrong = set()
        for page in written():
            for text in [block for _, block in blocks(page.read_text())] + spans(page.read_text()):
                for metric in METRIC.findall(text):
                    if not {metric, re.sub(r"_(bucket|sum|count)$", "", metric)} & there:
                        wrong.add(f"{name(page)}: {metric}")
        self.assertEqual(wrong, set())

    def test_every_file_of_ours_exists(self):
        wrong = []
        for page in written():
            made = set(re.findall(r"\*\*`([^`]+)`\*\*", page.read_text()))  # what the page itself is the text of
            for span in spans(page.read_text()):
                path = re.fullmatch(rf"((?:{'|'.join(FOLDERS)})/[\w./-]*\w/?)(?: .*)?", span)
                if path and path[1] not in made and not (ROOT / path[1]).exists():
                    wrong.append(f"{name(page)}: {path[1]}")
        self.assertEqual(wrong, [])

    def test_every_manifest_is_of_a_kind_that_is_served(self):
        served = {yaml.safe_load(file.read_text())["spec"]["names"]["kind"] for file in (ROOT / "crd-schemas").glob("*.yaml")}
        wrong = []
        for page in written():
            known = served | set(re.findall(r"names: {kind: (\w+)", page.read_text()))  # what the page itself defines
            wrong += [f"{name(page)}: {kind}" for _, block in blocks(page.read_text())
                      for kind in re.findall(r"apiVersion: ocim\.opencraft\.com/v1alpha1[,\n] *kind: (\w+)", block) if kind not in known]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
