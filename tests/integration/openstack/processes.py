"""Processes of a test: started with a log each, waited for with a deadline, ended together."""
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

LOOPBACK = "127.0.0.1"
INTERVAL = 0.1  # between two looks at a condition


class Failed(Exception):
    """Something did not come up; the message holds the end of its log."""


def wait_until(condition, limit, what):
    """Looks until `condition()` is true."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(INTERVAL)


def port_answers(port):
    try:
        socket.create_connection((LOOPBACK, port), 5).close()
        return True
    except OSError:
        return False


def http_answers(url):
    """Whether anything that speaks HTTP answers, with whatever status."""
    try:
        urllib.request.urlopen(url, timeout=20).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Ports:
    """Free loopback ports. Each stays bound, without listening, until its server is about to start."""

    def __init__(self):
        self.held = {}

    def take(self, name):
        holder = socket.socket()
        holder.bind((LOOPBACK, 0))
        self.held[name] = holder
        return holder.getsockname()[1]

    def release(self, *names):
        for name in names:
            self.held.pop(name).close()


class Processes:
    def __init__(self, directory):
        self.directory = directory
        self.running = {}
        os.makedirs(f"{directory}/log", exist_ok=True)

    def log(self, name):
        return f"{self.directory}/log/{name}.log"

    def tail(self, name):
        with open(self.log(name), errors="replace") as log:
            return f"{name}:\n" + "".join(log.readlines()[-25:])

    def start(self, name, command, **environment):
        with open(self.log(name), "ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.directory, env={**self.clean_environment(), **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def clean_environment(self):
        """Nothing of the caller's own set-up leads these programs astray."""
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.directory, "LANG": "C.UTF-8",
                "TMPDIR": self.directory}

    def finish(self, *names, limit=300):
        """Waits for the ends of programs that end by themselves."""
        for name in names:
            process = self.running.pop(name)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                self.running[name] = process
                raise Failed(f"{self.tail(name)}\n{name}: not done within {limit} s") from None
            if status != 0:
                raise Failed(f"{self.tail(name)}\n{name}: exit status {status}")

    def ready(self, name, condition, limit=120):
        """Waits for a server that goes on running."""
        def done():
            if self.running[name].poll() is not None:
                raise Failed(f"{self.tail(name)}\n{name}: ended with {self.running[name].returncode}")
            return condition()
        try:
            wait_until(done, limit, name)
        except Failed as failed:
            raise Failed(f"{self.tail(name)}\n{failed}") from None

    def signal(self, process, number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, limit=3):
        """Asks all to end, the last first, and makes those that do not."""
        for process in reversed(self.running.values()):
            self.signal(process, signal.SIGTERM)
        deadline = time.monotonic() + limit
        for process in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        for process in self.running.values():
            self.signal(process, signal.SIGKILL)
            process.wait()
        self.running.clear()
