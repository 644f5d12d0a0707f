#!/usr/bin/python3
"""The last stage of the Dockerfile, without a container engine: its instructions in a debootstrap of the suite that it starts
from, and in that the program already built, as a user who is not root, on a root file system that cannot be written.
Needs root, the network and some minutes."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from chart import ESSENTIAL, NOT_LINKED, ROOT, find, image_instructions, image_packages, libraries_of, render

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from support import KUBECTL, PROGRAM, wait_until  # noqa: E402

SUITES = {"debian:12-slim": "bookworm"}
# what is shown of the image: its only places that can be written
START = """
set -e
ip link set lo up
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" && mount --bind "$2" "$1/var/lib/ocim"
root=$1 user=$3 volumes=$4; shift 4
for volume in $volumes; do mount --bind "${volume%%:*}" "$root${volume#*:}"; done
exec chroot --userspec="$user" --groups= "$root" /usr/bin/setpriv --no-new-privs "$@"
"""


def mirror(suite):
    """Where this machine takes that suite from."""
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {suite}"], check=True,
                          capture_output=True, text=True).stdout.split()
    return told[0]


class Image:
    def __init__(self, folder):
        self.root, self.data = folder / "root", folder / "data"
        self.user, self.entry, self.command, self.health = "0", [], [], []
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def build(self):
        known = {"FROM": self.start_from, "RUN": self.run, "COPY": self.copy, "USER": lambda rest: setattr(self, "user", rest),
                 "ENTRYPOINT": lambda rest: setattr(self, "entry", json.loads(rest)),
                 "CMD": lambda rest: setattr(self, "command", json.loads(rest)),
                 "HEALTHCHECK": lambda rest: setattr(self, "health", json.loads(rest.split(" CMD ")[1])),
                 "ENV": lambda rest: self.environment.update([rest.split("=", 1)]), "VOLUME": lambda rest: None, "EXPOSE": lambda rest: None}
        for word, rest in image_instructions():
            known[word](rest)
        # a volume begins with what the image has there
        subprocess.run(["cp", "-a", f"{self.root}/var/lib/ocim", self.data], check=True)

    def start_from(self, rest):
        self.call("debootstrap", "--variant=minbase", SUITES[rest], self.root, mirror(SUITES[rest]))

    def run(self, rest):
        self.call("chroot", self.root, "/bin/sh", "-ec", rest)

    def copy(self, rest):
        stage, source, target = rest.split()
        assert (stage, source) == ("--from=build", "/src/build-release/ocim"), rest
        shutil.copy(PROGRAM, f"{self.root}{target}")

    def call(self, *words):
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=1200, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"})
        if done.returncode:
            raise AssertionError(f"{shlex.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout


class Container:
    """The image, running: mounts, processes and network of its own, and the program is the first process."""

    def __init__(self, image, command=None, data=None, volumes=None):
        self.image = image
        self.data = data or image.data
        mounts = " ".join(f"{folder}:{path}" for path, folder in (volumes or {}).items())
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--propagation", "private", "/bin/sh", "-c",
                 START, "ocim", str(image.root), str(self.data), image.user, mounts, *image.entry, *(command or image.command)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env={**image.environment, "HOME": "/var/lib/ocim"})
        self.pid = wait_until(lambda: self.child() or self.process.poll() is not None, "its first process")

    def child(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # the first process: all others end with it
        self.process.communicate()

    def beside(self, *words, inside=False):
        """Runs a program in the container's network; `inside`, as its user in its file system too."""
        enter = ["nsenter", f"--target={self.pid}", "--net"]
        if inside:
            enter += ["--mount", "chroot", f"--userspec={self.image.user}", "--groups=", str(self.image.root)]
        return subprocess.run([*enter, *words], capture_output=True, text=True, timeout=60, check=False)

    def kubectl(self, *words):
        return self.beside(KUBECTL, "--kubeconfig", str(self.data / "data" / "kubeconfig"), *words)

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.process.stdout.read()[-3000:]}")
            return self.kubectl("get", "--raw", "/readyz").stdout == "ok"
        wait_until(ready, "kubectl get --raw /readyz says ok", 60)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(60)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class FinalStage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="ocim-image-", dir="/var/tmp"))
        cls.addClassCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        cls.image = Image(folder)
        cls.image.build()

    def test_packages_are_what_the_program_needs_and_no_more(self):
        owners = set()
        for library in libraries_of(PROGRAM):
            # /lib is a link to /usr/lib, and dpkg knows one of the two
            found = self.image.call("chroot", self.image.root, "/bin/sh", "-c",
                                    f"dpkg -S {library} /usr{library} 2>/dev/null | cut -d: -f1")
            self.assertTrue(found, library)
            owners |= set(found.split())
        self.assertEqual(owners - ESSENTIAL | set(NOT_LINKED), image_packages())

    def test_it_serves_as_somebody_who_may_nothing(self):
        with Container(self.image) as container:
            container.wait_ready()
            status = pathlib.Path(f"/proc/{container.pid}/status").read_text()
            self.assertRegex(status, r"Uid:\t10001\t10001\t10001\t10001\n")
            self.assertRegex(status, r"CapEff:\t0+\n")
            refused = container.beside("/bin/touch", "/etc/here", "/usr/bin/here", inside=True)
            self.assertIn("Read-only file system", refused.stderr)
            health = container.beside(*self.image.health, inside=True)
            self.assertEqual((health.returncode, health.stdout), (0, "ok"), health.stderr)
            made = container.kubectl("create", "secret", "generic", "kept", "--from-literal=a=b")
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertEqual(container.stop(), 0)
        with Container(self.image) as container:
            container.wait_ready()
            self.assertEqual(container.kubectl("get", "secret", "kept", "-o", "jsonpath={.data.a}").stdout, "Yg==")
            self.assertEqual(container.stop(), 0)

    def test_the_health_check_fails_without_it(self):
        with Container(self.image, ["--version"]) as container:
            container.process.wait(60)
        with Container(self.image, ["serve", "--data-dir=/var/lib/ocim/other", "--metrics-listen=127.0.0.1:0"]) as container:
            wait_until(lambda: container.process.stdout.readline().startswith("ocim is ready"), "ready")
            self.assertNotEqual(container.beside(*self.image.health, inside=True).returncode, 0)

    def volume(self, name):
        """As a kubelet leaves it for fsGroup."""
        folder = self.image.data.with_name(name)
        folder.mkdir()
        os.chown(folder, 0, 10001)
        folder.chmod(0o2770)
        return folder

    def secret(self, name, file, text):
        """A mounted Secret of mode 0440."""
        folder = self.volume(name)
        (folder / file).write_text(text)
        os.chown(folder / file, 0, 10001)
        (folder / file).chmod(0o440)
        return folder

    def test_it_serves_as_the_chart_starts_it(self):
        pod = find(render("--set", "serve.tokenAuth.secretName=people,serve.encryptionPassphrase.secretName=vault"),
                   "StatefulSet")["spec"]["template"]["spec"]
        arguments = pod["containers"][0]["args"]
        places = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        data = self.volume("volume")
        volumes = {places["tokens"]: self.secret("people", "tokens.csv", 'known,ann,1,"system:masters"\n'),
                   places["passphrase"]: self.secret("vault", "passphrase", "nobody knows\n")}
        for path in volumes:
            pathlib.Path(f"{self.image.root}{path}").mkdir(parents=True)
        with Container(self.image, arguments, data, volumes) as container:
            container.wait_ready()
            authority = str(data / "data" / "pki" / "ca.crt")
            who = container.beside(KUBECTL, "--server=https://127.0.0.1:7443", f"--certificate-authority={authority}",
                                   "--token=known", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
            self.assertEqual(who.stdout, "ann", who.stderr)
            self.assertEqual(container.stop(), 0)
        without = [argument for argument in arguments if "passphrase" not in argument]
        with Container(self.image, without, data, volumes) as container:
            self.assertNotEqual(container.process.wait(60), 0, "the keys are protected with the passphrase")


if __name__ == "__main__":
    unittest.main()
