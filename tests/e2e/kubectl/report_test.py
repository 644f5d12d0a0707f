#!/usr/bin/python3
"""`ocim report activity`: the servers are real SSH servers of this host on addresses of their own; the Open edX behind
them is a tree that looks like one."""
import base64
import csv
import io
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, Ocim, wait_until  # noqa: E402

HEADER = ["Appserver IP", "Internal LMS Domain", "Name", "Contact Email", "Unique Hits", "Total Users", "Total Courses",
          "Age (Days)"]
GROUP = "ocim.opencraft.com/v1alpha1"
PYTHON = r"""#!/bin/sh
[ "$(id -un) $DJANGO_SETTINGS_MODULE" = "www-data lms.envs.production" ] && printf 'users 7\ncourses 2\n'
"""


def answers(address):
    done = subprocess.run(["ssh-keyscan", "-T", "2", address], capture_output=True, text=True)
    return done.stdout.strip()


@unittest.skipUnless(os.geteuid() == 0, "SSH servers on port 22 of loopback addresses")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim()
        cls.servers = []
        try:
            cls.ocim.start()
            cls.prepare()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.send_signal(signal.SIGCONT)
            server.kill()
            server.wait()
        cls.ocim.close()

    @classmethod
    def prepare(cls):
        cls.home = cls.ocim.home
        os.chmod(cls.home, 0o755)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.home / name], check=True)
        cls.host_key = " ".join((cls.home / "host.pub").read_text().split()[:2])
        cls.make_site(cls.home / "edx")
        cls.base = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}."
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        key = base64.b64encode((cls.home / "user").read_bytes()).decode()
        cls.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}},
                  {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opener", "namespace": "ocim-system"},
                   "data": {"ssh-privatekey": key}},
                  {"apiVersion": GROUP, "kind": "InstanceClass", "metadata": {"name": "sandbox"},
                   "spec": {"baseDomain": "example.org", "email": "contact@example.org",
                            "compute": {"keyName": "k", "sshKeyRef": {"name": "opener"}}}})

    @staticmethod
    def make_site(edx):
        logs, app = edx / "var/log/nginx", edx / "app/edxapp"
        for folder in (logs, app / "edx-platform", app / "venvs/edxapp/bin"):
            folder.mkdir(parents=True)
        (logs / "access.log").write_text("".join(f"- - 192.0.2.{n} - - x\n" for n in (1, 2, 2, 3)))
        (app / "lms.sh").write_text('export DJANGO_SETTINGS_MODULE="lms.envs.production"\n')
        python = app / "venvs/edxapp/bin/python"
        python.write_text(PYTHON)
        python.chmod(0o755)

    @classmethod
    def apply(cls, *objects):
        import json
        cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    @classmethod
    def serve_ssh(cls, address):
        config = cls.home / f"sshd-{address}"
        config.write_text(f"ListenAddress {address}:22\nHostKey {cls.home}/host\nAuthorizedKeysFile {cls.home}/user.pub\n"
                          "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n")
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        cls.servers.append(server)
        wait_until(lambda: answers(address), f"sshd at {address}")
        return server

    def declare(self, name, address, host_key=None, **spec):
        """An Instance with an active AppServer at that address."""
        where = {"name": name, "namespace": "campus"}
        self.apply({"apiVersion": GROUP, "kind": "Instance", "metadata": where,
                    "spec": {"className": "sandbox", "subdomain": name, **spec}},
                   {"apiVersion": GROUP, "kind": "AppServer", "metadata": where,
                    "spec": {"instanceName": name, "active": True}},
                   {"apiVersion": GROUP, "kind": "VirtualMachine", "metadata": where,
                    "spec": {"cloudRef": {"name": "c"}, "flavor": {"name": "f"}, "image": {"name": "i"}, "keyName": "k",
                             "sshUser": "root", "sshKeyRef": {"name": "opener"}}})
        for kind, status in (("instance", f'{{"domains": {{"lms": "{name}.example.org"}}}}'),
                             ("appserver", f'{{"addresses": ["{address}"]}}'),
                             ("virtualmachine", f'{{"addresses": ["{address}"], "sshHostKey": "{host_key or self.host_key}"}}')):
            self.ocim.kubectl("patch", kind, name, "-n", "campus", "--subresource=status", "--type=merge", "-p",
                              f'{{"status": {status}}}')

    def report(self, *words, check=True):
        return self.ocim.run(PROGRAM, "report", "activity", "--edx-root", str(self.home / "edx"), *words, check=check)

    def test_1_nothing_to_report_on(self):
        path = self.home / "none.csv"
        done = self.report("--out", str(path))
        self.assertIn("no AppServer is active", done.stderr)
        self.assertFalse(path.exists())

    def test_2_every_server_is_asked_and_the_unreachable_are_told_of(self):
        one, frozen, closed, stranger = (self.base + str(n) for n in (1, 2, 3, 4))
        self.serve_ssh(one)
        held = self.serve_ssh(frozen)
        self.serve_ssh(stranger)
        self.declare("alpha", one, displayName='The "first", site', email="alpha@example.org")
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second, "the next second: the order is that of their age, in whole ones")
        self.declare("beta", frozen)
        self.declare("gamma", closed)
        self.declare("stranger", stranger, host_key="ssh-ed25519 " + "A" * 68)
        held.send_signal(signal.SIGSTOP)
        path = self.home / "activity.csv"
        began = time.monotonic()
        done = self.report("--out", str(path), "--timeout", "15")
        self.assertLess(time.monotonic() - began, 45, "they are asked side by side")
        held.send_signal(signal.SIGCONT)
        with open(path, newline="", encoding="utf-8") as file:
            text = file.read()
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        self.assertEqual(header, HEADER)
        self.assertEqual(rows[0], [one, "alpha.example.org", 'The "first", site', "alpha@example.org", "3", "7", "2", "0"])
        self.assertIn('"alpha@example.org",3,7,2,0\r\n', text, "numbers are not quoted")
        self.assertEqual(sorted(row[1] for row in rows[1:]), ["beta.example.org", "gamma.example.org", "stranger.example.org"])
        for row in rows[1:]:
            self.assertEqual(row[3:], ["contact@example.org", "N/A", "N/A", "N/A", "0"], row)
        for name in ("beta", "gamma", "stranger"):
            self.assertIn(f"campus/{name} (", done.stderr)
        self.assertNotIn("campus/alpha", done.stderr)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_3_what_cannot_be_done_is_said(self):
        for words, code, said in ((("--out", "/nowhere/x.csv"), 1, "/nowhere/x.csv"), (("--timeout", "soon"), 2, "--timeout soon"),
                                  (("--kubeconfig", "/nowhere"), 2, "/nowhere")):
            done = self.report(*words, check=False)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertIn(said, done.stderr)
        done = self.ocim.run(PROGRAM, "report", "weather", check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
