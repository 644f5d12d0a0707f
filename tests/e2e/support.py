"""What end-to-end tests need: `ocim serve` as an ordinary process in a private directory, and the real kubectl.

    with Ocim() as ocim:
        ocim.kubectl("get", "namespaces")

The program is $OCIM (else build/ocim), kubectl is $KUBECTL (else .deps/kubectl/kubectl). Nothing is left behind.
"""
import http.client
import os
import pathlib
import select
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("OCIM") or str(ROOT / "build" / "ocim")
KUBECTL = os.environ.get("KUBECTL") or str(ROOT / ".deps" / "kubectl" / "kubectl")
START_SECONDS = 60  # a busy machine
STOP_SECONDS = 60


def wait_until(condition, what, seconds=60.0):
    """The first true value of condition(), or a failure that names `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def read_line(stream, seconds, what):
    """One line of a process's output, or a failure that names `what` when it does not come."""
    end = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise AssertionError(f"not within {seconds} s: {what} (so far {line!r})")
        byte = os.read(stream.fileno(), 1)
        if not byte:
            raise AssertionError(f"the output ended before {what} (so far {line!r})")
        line += byte
    return line.decode()


class Ocim:
    """One installation: a data directory, and the process that serves it while it is started."""

    def __init__(self, *flags, controllers=False):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ocim-e2e-"))
        self.data = self.home / "data"
        self.flags = list(flags) + ([] if controllers else ["--no-controllers"])
        self.process = None
        self.log = self.home / "log"

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    # --- the process

    def command(self, *flags):
        given = [*self.flags, *flags]
        for flag in "--listen", "--metrics-listen":
            if flag not in given:
                given += [flag, "127.0.0.1:0"]
        return [PROGRAM, "serve", "--data-dir", str(self.data), *given]

    def start(self, *flags):
        """Starts it and waits until it says that it is ready."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*flags), stdout=subprocess.PIPE, stderr=log)
        try:
            self.ready_line = read_line(self.process.stdout, START_SECONDS, "ocim is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text(errors='replace')[-4000:]}") from None
        return self

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self):
        """kill -9, as when the power goes."""
        self.process.kill()
        return self._ended()

    def _ended(self):
        code = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        self.process = None
        return code

    def close(self):
        if self.process:
            self.process.kill()
            self._ended()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- access

    @property
    def environment(self):
        out = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
        return out | {"HOME": str(self.home), "KUBECONFIG": str(self.data / "kubeconfig")}

    def kubectl(self, *words, stdin=None, check=True, seconds=60, env=None):
        """Runs kubectl as the administrator. Without `check` a failure is the caller's business."""
        return self.run(KUBECTL, *words, stdin=stdin, check=check, seconds=seconds, env=env)

    def run(self, program, *words, stdin=None, check=True, seconds=60, env=None):
        """The same with any program that reads a kubeconfig."""
        done = subprocess.run([program, *words], input=stdin, capture_output=True, text=True, timeout=seconds,
                              env=self.environment | (env or {}), check=False)
        if check and done.returncode:
            name = pathlib.Path(program).name
            raise AssertionError(f"{name} {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def popen_kubectl(self, *words):
        return subprocess.Popen([KUBECTL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env=self.environment)

    def request(self, method, path, body=None, headers=None, certificate="admin"):
        """One HTTPS request with the administrator's certificate (None: without any): status, headers, body."""
        context = ssl.create_default_context(cafile=str(self.data / "pki" / "ca.crt"))
        if certificate:
            base = self.data / "pki" / certificate
            context.load_cert_chain(f"{base}.crt", f"{base}.key")
        host, port = self.address()
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def address(self):
        for line in (self.data / "kubeconfig").read_text().splitlines():
            if "server:" in line:
                host, port = line.split("https://")[1].strip().strip("\"'").rsplit(":", 1)
                return host, int(port)
        raise AssertionError("the kubeconfig names no server")


class OcimTest(unittest.TestCase):
    """A test case with one running server for all its tests, and what they say often."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim()
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()

    def kubectl(self, *words, **options):
        """Standard output of a kubectl that succeeds."""
        return self.ocim.kubectl(*words, **options).stdout

    def refused(self, *words, **options):
        """Standard error of a kubectl that fails."""
        done = self.ocim.kubectl(*words, check=False, **options)
        self.assertNotEqual(done.returncode, 0, f"kubectl {' '.join(words)} was not refused: {done.stdout}")
        return done.stderr
