#!/usr/bin/python3
"""Completion in a real bash and a real zsh, and the manual page: both made from what --help tells."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, OcimTest, wait_until  # noqa: E402

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


# a zsh with its completion system: Tab completes, ^A inserts all that is offered, ^X writes the line down
ZSH = r"""
PS1='' PS2='' ; unsetopt prompt_cr prompt_sp beep; bindkey -e
autoload -Uz compinit; compinit -u -d {home}/dump
{load}
all() {{ _main_complete; compstate[insert]=all }}; zle -C all complete-word all; bindkey '^A' all
written() {{ print -rn -- "$BUFFER" > {home}/line.new; mv {home}/line.new {home}/line; BUFFER='' }}
zle -N written; bindkey '^X' written
: > {home}/ready
"""


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, load, environment, home):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=home))
        (self.home / "rc").write_text(ZSH.format(home=self.home, load=load))
        self.terminal, ours = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=ours, stdout=ours, stderr=ours, cwd=home,
                                        env=environment | {"TERM": "dumb"}, start_new_session=True)
        os.close(ours)
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.shown = b""
        self.reader.start()
        self.type(f"source {self.home}/rc\n")
        wait_until((self.home / "ready").exists, "zsh is ready")

    def drain(self):
        try:
            while part := os.read(self.terminal, 4096):
                self.shown += part
        except OSError:
            pass  # it has ended

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def line(self, keys):
        """What stands on the line after these keys."""
        (self.home / "line").unlink(missing_ok=True)
        self.type(keys + "\x18")
        wait_until((self.home / "line").exists, f"the line is written down, after {self.shown!r}")
        return (self.home / "line").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


class CompletionInZsh(OcimTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bin = cls.ocim.home / "bin"
        cls.bin.mkdir()
        (cls.bin / "ocim").symlink_to(PROGRAM)
        for name in "www", "wiki":
            cls.ocim.kubectl("apply", "-f", "-", stdin=RECORD % (name, name))
        cls.ocim.kubectl("create", "namespace", "school")
        cls.ocim.kubectl("apply", "-n", "school", "-f", "-", stdin=RECORD % ("webmail", "webmail"))
        (cls.ocim.home / "site.yaml").write_text("")

    def zsh(self, load):
        environment = self.ocim.environment
        out = Zsh(load, environment | {"PATH": f"{self.bin}:{environment['PATH']}"}, self.ocim.home)
        self.addCleanup(out.close)
        return out

    def completes(self, zsh):
        for keys, line in (("ocim expl\t", "ocim explain-status "), ("ocim get dnsr\t", "ocim get dnsrecords "),
                           ("ocim get dnsrecord ww\t", "ocim get dnsrecord www "), ("ocim delete dns/wi\t", "ocim delete dns/wiki "),
                           ("ocim get dnsrecord w\x01", "ocim get dnsrecord wiki www "),
                           ("ocim get dns -o \x01", "ocim get dns -o json name wide yaml "),
                           ("ocim get dns --names\t", "ocim get dns --namespace "), ("ocim apply -f si\t", "ocim apply -f site.yaml "),
                           ("ocim get dns --output=js\t", "ocim get dns --output=json "),
                           ("ocim get dns --output=\x01", "ocim get dns --output=json --output=name --output=wide --output=yaml "),
                           ("ocim get dns --namespace=scho\t", "ocim get dns --namespace=school "),
                           ("ocim get dnsrecord --namespace=school w\t", "ocim get dnsrecord --namespace=school webmail "),
                           ("ocim apply --filename=si\t", "ocim apply --filename=site.yaml "),
                           ("ocim get dnsrecord nothing\t", "ocim get dnsrecord nothing")):
            self.assertEqual(zsh.line(keys), line, keys)

    def test_sourced(self):
        self.completes(self.zsh("source <(ocim completion zsh)"))

    def test_as_a_file_that_zsh_finds(self):
        folder = self.ocim.home / "functions"
        folder.mkdir()
        (folder / "_ocim").write_text(self.ocim.run(PROGRAM, "completion", "zsh").stdout)
        self.completes(self.zsh(f"fpath=({folder} $fpath); compinit -u -d {folder}/dump"))


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
        self.assertEqual(done.stderr, "")
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

    def test_the_value_of_a_flag_in_one_word(self):
        """bash takes it apart at the "=", and replaces only what is behind that."""
        self.assertEqual(self.tab("get", "dns", "--output", "="), ["json", "name", "wide", "yaml"])
        self.assertEqual(self.tab("get", "dns", "--output", "=", "js"), ["json"])
        self.assertEqual(self.tab("get", "dns", "--output=js"), ["--output=json"], "where bash was told not to")
        self.assertEqual(self.tab("get", "dns", "--namespace", "=", "sch"), ["school"])
        self.assertEqual(self.tab("get", "dnsrecord", "--namespace", "=", "school", ""), [])
        self.assertEqual(self.tab("get", "dnsrecord", "-l", "team", "=", "blue", "w"), ["wiki", "www"])
        self.assertEqual(self.tab("wait", "--for", "=", "d"), ["delete"])
        self.assertEqual(self.tab("get", "dns", "--watch", "=", ""), [], "it takes no value")
        (self.ocim.home / "site.yaml").write_text("")
        self.assertEqual(self.tab("apply", "--filename", "=", "si"), ["site.yaml"])
        self.assertCountEqual(self.tab("apply", "--filename", "="), (p.name for p in self.ocim.home.iterdir()))
        self.assertEqual(self.tab("apply", "--filename=si"), ["--filename=site.yaml"])

    def test_a_name_is_never_a_command(self):
        """A Role may be called nearly anything, by whoever may write Roles."""
        touched = self.ocim.home / "touched"
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [],
                "metadata": {"name": "$(touch touched)*", "namespace": "school"}}
        self.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(role))
        self.assertEqual(self.tab("get", "roles", "-n", "school", "$"), ["\\$\\(touch\\", "touched\\)\\*"])
        self.assertFalse(touched.exists())

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
                  "os.write(fd,b'\\x15ocim get dnsrecord --output=js\\t --namespace=sch\\t')\n"
                  "said+=read(b'=school')\n"
                  "os.write(fd,b'\\x15exit\\n')\n"
                  "sys.stdout.write(said.decode(errors='replace'))\n")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=90,
                              env=self.environment() | {"TERM": "dumb"})
        self.assertIn("ocim explain-status", done.stdout, done.stderr)
        self.assertIn("dns/www", done.stdout)
        self.assertRegex(done.stdout, "get dnsrecord --output=json +--namespace=school ")

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
