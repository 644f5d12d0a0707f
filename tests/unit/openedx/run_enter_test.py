#!/usr/bin/python3
"""What reconcilers/openedx/run_enter.sh lets a playbook on the controller's host see and do. Needs root."""
import os
import subprocess
import sys
import tempfile
import unittest


@unittest.skipUnless(os.geteuid() == 0, "only root can make a mount namespace and give everything up")
class RunEnter(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ocim-run-enter-")
        self.addCleanup(folder.cleanup)
        self.data = os.path.join(folder.name, "data")
        os.makedirs(self.data)
        os.chmod(folder.name, 0o755)  # so that nothing but the namespace hides the rest
        os.chmod(self.data, 0o755)
        with open(os.path.join(self.data, "secret"), "w", encoding="utf-8") as file:
            file.write("known to nobody\n")
        with open("reconcilers/openedx/run_enter.sh", encoding="utf-8") as file:
            self.program = file.read()

    def run_in(self, namespace, program, *words):
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", self.program, "ocim", self.data, namespace, program,
             "ocim", *words], capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OCIM_TOKEN": "secret"})

    def said(self, namespace, program, *words):
        run = self.run_in(namespace, program, *words)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run)
        return run.stdout

    def test_it_is_nobody_known_and_may_nothing(self):
        self.assertNotEqual(self.said("campus", "id -u").strip(), "0")
        self.assertEqual(self.said("campus", "id -un; id -Gn").split(), ["ocim", "ocim"])
        status = self.said("campus", "cat /proc/self/status")
        for line in ("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
            self.assertIn(line, status)
        for program in ("echo x >/etc/x", "kill -0 1", "mount -t tmpfs tmpfs /home/ocim", "mkdir /var/lib/x", "umount /home"):
            self.assertNotEqual(self.run_in("campus", program).returncode, 0, program)

    def test_its_environment_is_only_what_it_needs(self):
        names = {line.split("=")[0] for line in self.said("campus", "env").splitlines()}
        self.assertLessEqual(names, {"PATH", "HOME", "USER", "LOGNAME", "LC_ALL", "PWD", "_", "SHLVL"})

    def test_it_sees_nothing_of_ours(self):
        self.assertEqual(self.run_in("campus", f"cat {self.data}/secret").stdout, "")
        self.assertEqual(self.said("campus", "ls /root; ls /tmp; ls /var/tmp; ls /home/ocim").split(), ["cache", "runs", "tmp"])

    def test_a_namespace_sees_nothing_of_another(self):
        self.said("one", "echo mine >secret; chmod 644 secret")
        self.assertEqual(self.said("two", f"ls; find /home /tmp /var/tmp -name secret").split(), ["cache", "runs", "tmp"])
        self.assertNotEqual(self.said("one", "id -u"), self.said("two", "id -u"))
        self.assertEqual(self.said("one", "cat secret"), "mine\n", "what is its own stays")

    def test_words_are_words(self):
        self.assertEqual(self.said("campus", 'printf "%s|" "$@"', "a b", "$(id)", "'", ""), "a b|$(id)|'||")
        for namespace in ("", "..", "a/../b", "."):
            self.assertNotEqual(self.run_in(namespace, "true").returncode, 0, namespace)


if __name__ == "__main__":
    sys.exit(unittest.main())
