#!/usr/bin/python3
"""Completion in a real bash, and the manual page: both made from what --help tells."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, OcimTest  # noqa: E402

RECORD = """
apiVersion: ocim.opencraft.com/v1alpha1
kind: DNSRecord
metadata: {name: %s}
spec: {zoneRef: {name: example}, name: %s.example.org, type: A, values: [192.0.2.1]}
"""
# what bash does when Tab is pressed behind the words
PRESS = r"""
source <(ocim completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
compopt() { :; }
_ocim
printf '%s\n' "${COMPREPLY[@]}"
"""


class Completion(OcimTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bin = cls.ocim.home / "bin"
        cls.bin.mkdir()
        (cls.bin / "ocim").symlink_to(PROGRAM)
        for name in "www", "wiki":
            cls.ocim.kubectl("apply", "-f", "-", stdin=RECORD % (name, name))
        cls.ocim.kubectl("create", "namespace", "school")

    def environment(self):
        out = self.ocim.environment
        return out | {"PATH": f"{self.bin}:{out['PATH']}"}

    def tab(self, *words):
        """What bash offers for the last of these words."""
        done = subprocess.run(["bash", "-c", PRESS, "bash", "ocim", *words], capture_output=True, text=True, timeout=60,
                              env=self.environment(), cwd=self.ocim.home)
        # what a library says of shared memory on a busy machine is none of ours
        self.assertEqual([line for line in done.stderr.splitlines() if line and "mongoc" not in line], [])
        return done.stdout.split()

    def test_commands_and_flags(self):
        self.assertEqual(self.tab("ex"), ["explain-status"])
        self.assertEqual(self.tab("pl"), ["plan"])
        self.assertIn("delete", self.tab(""))
        self.assertEqual(self.tab("get", "dns", "--names"), ["--namespace"])
        self.assertEqual(self.tab("secrets", "rotate-t"), ["rotate-token-key"])
        self.assertEqual(self.tab("help", "wai"), ["wait"])

    def test_kinds_and_names_are_the_servers(self):
        self.assertEqual(self.tab("get", "dnsr"), ["dnsrecords"])
        self.assertEqual(self.tab("get", "dnsrecord", "w"), ["wiki", "www"])
        self.assertEqual(self.tab("delete", "dns/ww"), ["dns/www"])
        self.assertEqual(self.tab("get", "dnsrecord", "-n", "school", ""), [])
        self.assertEqual(self.tab("get", "dns", "-n", "sch"), ["school"])
        self.assertEqual(self.tab("get", "dns", "-o", ""), ["json", "name", "wide", "yaml"])
        self.assertEqual(self.tab("get", "dns", "--context", ""), ["ocim"] if self.contexts() == ["ocim"] else self.contexts())

    def contexts(self):
        return self.kubectl("config", "get-contexts", "-o", "name").split()

    def test_files(self):
        (self.ocim.home / "site.yaml").write_text("")
        self.assertEqual(self.tab("apply", "-f", "si"), ["site.yaml"])

    def test_a_server_that_is_gone_is_no_noise(self):
        done = subprocess.run([PROGRAM, "complete-words", "get", "--kubeconfig", "/nowhere", "d"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertNotIn("ocim: ", done.stderr)

    def test_bash_itself_completes(self):
        """Not our idea of what bash does, but bash, with its line editor."""
        script = ("import pty,os,sys,time,select\n"
                  "pid,fd=pty.fork()\n"
                  "if pid==0:\n"
                  " os.execvp('bash',['bash','--norc','--noprofile','-i'])\n"
                  "def read(until):\n"
                  " said=b''\n"
                  " end=time.monotonic()+30\n"
                  " while until not in said and time.monotonic()<end:\n"
                  "  if select.select([fd],[],[],0.2)[0]: said+=os.read(fd,4096)\n"
                  " return said\n"
                  "os.write(fd,b'PS1=\"> \"; source <(ocim completion bash); echo rea\"\"dy\\n')\n"
                  "read(b'ready\\r\\n')\n"
                  "os.write(fd,b'ocim expl\\t dns/ww\\t')\n"
                  "said=read(b'dns/www')\n"
                  "os.write(fd,b'\\x15exit\\n')\n"
                  "sys.stdout.write(said.decode(errors='replace'))\n")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=90,
                              env=self.environment() | {"TERM": "dumb"})
        self.assertIn("ocim explain-status", done.stdout, done.stderr)
        self.assertIn("dns/www", done.stdout)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_can_read_its_script(self):
        script = self.ocim.run(PROGRAM, "completion", "zsh").stdout
        subprocess.run(["zsh", "-n"], input=script, text=True, check=True, timeout=60)

    # --- the manual page

    def test_the_manual_says_what_help_says(self):
        page = self.ocim.run(PROGRAM, "manual").stdout
        plain = page.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")
        listed = self.ocim.run(PROGRAM, "--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
        for name in (line.split()[0] for line in listed.splitlines()):
            text = self.ocim.run(PROGRAM, name, "--help").stdout
            self.assertIn(f".SS ocim {name}\n", plain)
            for flag in re.findall(r"(?m)^  (?:-\w, |    )?--([\w-]+)", text):
                section = plain.split(f".SS ocim {name}\n")[1].split("\n.SS ")[0]
                self.assertRegex(section, rf"(?m)^\.B (-\w, )?--{flag}( |$)", name)
            for example in re.findall(r"(?m)^  (ocim .*)$", text.split("Examples:")[1]) if "Examples:" in text else []:
                self.assertIn(example, plain)

    @unittest.skipUnless(shutil.which("groff") or shutil.which("man"), "nothing here formats manual pages")
    def test_the_manual_can_be_formatted(self):
        page = self.ocim.run(PROGRAM, "manual").stdout
        command = ["groff", "-man", "-Tutf8", "-ww"] if shutil.which("groff") else ["man", "--warnings", "-l", "-"]
        done = subprocess.run(command, input=page, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("explain", done.stdout)


if __name__ == "__main__":
    unittest.main()
