#!/usr/bin/python3
"""Pull requests become Instances: `ocim serve` with its controllers, and a GitHub held to its published description."""
import hashlib
import hmac
import json
import pathlib
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import ROOT, Ocim, wait_until  # noqa: E402

CLASS = """
apiVersion: ocim.opencraft.com/v1alpha1
kind: InstanceClass
metadata: {name: sandbox}
spec:
  baseDomain: sandbox.example.com
  compute: {keyName: k, sshKeyRef: {name: k}}
  pullRequests: {variables: [COLOR]}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class GitHub:
    """See tests/support/github_server.py."""

    def __enter__(self):
        command = [sys.executable, ROOT / "tests/support/github_server.py", "--description",
                   ROOT / ".deps/github/api.github.com.json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = "http://127.0.0.1:" + self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def order(self, what):
        with urllib.request.urlopen(self.url + "/_test", json.dumps(what).encode()) as reply:
            return json.load(reply)

    def pull(self, **fields):
        self.order({"set": {"pulls": {"acme/site#7": fields}}})


class PullRequests(unittest.TestCase):
    def deliver(self, port, secret):
        body = json.dumps({"action": "synchronize", "repository": {"full_name": "Acme/site"}}).encode()
        signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/github", body,
                                         {"X-GitHub-Event": "pull_request", "X-Hub-Signature-256": signature,
                                          "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def test_a_sandbox_comes_follows_and_goes(self):
        port = free_port()
        with GitHub() as github, Ocim("--webhook-listen", f"127.0.0.1:{port}", controllers=True) as ocim:
            github.order({"set": {"organizations": {"acme": {"teams": {"Sandbox": ["ada"]}}}}})
            github.pull(sha="a" * 40, body="**Settings**\r\n```\r\nCOLOR: red\r\nOTHER: x\r\n```\r\n")
            ocim.kubectl("create", "namespace", "sandboxes")
            ocim.kubectl("-n", "sandboxes", "create", "secret", "generic", "github", "--from-literal=token=token")
            ocim.kubectl("-n", "sandboxes", "create", "secret", "generic", "hook", "--from-literal=secret=known")
            ocim.kubectl("apply", "-f", "-", stdin=CLASS)
            sample = (ROOT / "manifests/samples/pull-requests.yaml").read_text()
            ocim.kubectl("apply", "--dry-run=server", "-f", "-", stdin=sample)
            # it is not polled within the test: only the webhook tells of the second commit
            sample = sample.replace("example/edx-platform", "acme/site").replace("organization: example", f"""\
organization: acme
  apiURL: {github.url}
  interval: 1h
  webhookSecretRef: {{name: hook}}""")
            ocim.kubectl("apply", "-f", "-", stdin=sample)

            def spec():
                found = ocim.kubectl("-n", "sandboxes", "get", "instance", "pr7-acme-site", "-o", "json", check=False)
                try:
                    return json.loads(found.stdout)["spec"]
                except (ValueError, KeyError):
                    return None

            made = wait_until(spec, "the Instance")
            self.assertEqual((made["subdomain"], made["platform"]["commit"], made["configuration"]["extraVars"]),
                             ("pr7", "a" * 40, {"COLOR": "red"}))
            wait_until(lambda: github.order({})["comments"], "the comment")
            wait_until(lambda: github.order({})["statuses"], "the commit status")

            github.pull(sha="b" * 40)
            self.assertEqual(self.deliver(port, b"guessed"), 401)
            self.assertEqual(self.deliver(port, b"known"), 204)
            wait_until(lambda: (spec() or {})["platform"]["commit"] == "b" * 40, "the new commit")

            ocim.kubectl("-n", "sandboxes", "delete", "pullrequestwatch", "edx-platform", "--timeout=60s", seconds=90)
            self.assertIsNone(spec())
            shown = github.order({})
            self.assertEqual(shown["violations"], [])
            self.assertEqual(len(shown["comments"]), 1)
            self.assertIn("is not watched any more", next(iter(shown["comments"].values()))["body"])


if __name__ == "__main__":
    unittest.main()
