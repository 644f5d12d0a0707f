#!/usr/bin/python3
"""What reconcilers/openedx/run_script.sh says it failed in, with the real git and pip."""
import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import unittest

SCRIPT = os.path.abspath("reconcilers/openedx/run_script.sh")


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that answers everything with one status."""

    def __init__(self, status, *rest):
        self.status = status
        super().__init__(*rest)

    def do_GET(self):
        body = b"no"
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class RunScript(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="ocim-run-script-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def index(self, status):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, status))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/simple"

    def nobody(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        server.server_close()
        return f"http://127.0.0.1:{server.server_port}/simple"

    def failed_step(self, requirements, index="http://127.0.0.1:9/simple", named="pip.txt"):
        name = os.path.join(self.home, str(len(os.listdir(self.home))))
        source, folder = name + ".git", name + ".run"
        os.makedirs(folder)
        os.makedirs(source)
        with open(os.path.join(source, "pip.txt"), "w", encoding="utf-8") as file:
            file.write(requirements)
        for words in (["init", "-q", "-b", "main"], ["add", "."],
                      ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"]):
            subprocess.run(["git", *words], cwd=source, check=True)
        environment = dict(os.environ, PIP_INDEX_URL=index, PIP_RETRIES="1", PIP_CONFIG_FILE=os.devnull, HOME=self.home,
                           PIP_DISABLE_PIP_VERSION_CHECK="1", no_proxy="*")
        subprocess.run(["setsid", "-w", "sh", SCRIPT, folder, source, "main", "site.yml", named, "60", "120"],
                       env=environment, stdin=subprocess.DEVNULL, check=False, timeout=180)
        with open(os.path.join(folder, "exit"), encoding="utf-8") as file:
            self.assertNotEqual(file.read().strip(), "0")
        with open(os.path.join(folder, "log"), encoding="utf-8") as file:
            self.log = file.read()
        with open(os.path.join(folder, "step"), encoding="utf-8") as file:
            return file.read().strip()

    def test_tells_what_was_not_reached_from_what_is_wrong(self):
        for reason, step, arguments in (
                ("nobody answers", "download", ("ansible\n", self.nobody())),
                ("the index has trouble of its own", "download", ("ansible\n", self.index(503))),
                ("the index knows no such package", "requirements", ("no-such-package\n", self.index(404))),
                ("what stands in the file means nothing", "requirements", ("==/==\n",)),
                ("the file is not there", "requirements", ("", "", "other.txt")),
                ("nothing is required: the playbook is next", "playbook", ("",))):
            with self.subTest(reason):
                self.assertEqual(self.failed_step(*arguments), step, self.log)


if __name__ == "__main__":
    sys.exit(unittest.main())
