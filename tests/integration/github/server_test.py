#!/usr/bin/python3
"""The GitHub of our tests keeps to GitHub's published description, and catches who does not."""
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class GitHubServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen(
            [sys.executable, ROOT + "/tests/support/github_server.py", "--description",
             ROOT + "/.deps/github/api.github.com.json"], stdout=subprocess.PIPE, text=True)
        cls.base = "http://127.0.0.1:" + cls.process.stdout.readline().strip()

    @classmethod
    def tearDownClass(cls):
        cls.process.kill()
        cls.process.wait()
        cls.process.stdout.close()

    def setUp(self):
        self.order({"set": {"organizations": {"acme": {"members": ["ada", "bob", "eve", "ocim-bot"], "public": ["bob"],
                                                       "teams": {"The Sandbox": ["ada", "bob"]}}},
                            "pulls": {"acme/site#7": {"body": "text", "sha": "a" * 40}}, "per_page_max": 100,
                            "quota": 5000, "used": 0, "faults": []}})

    def order(self, what):
        with urllib.request.urlopen(self.base + "/_test", json.dumps(what).encode()) as reply:
            return json.load(reply)

    def call(self, method, path, body=None, **headers):
        sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "test",
                "Authorization": "Bearer token", **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.base + path, json.dumps(body).encode() if body is not None else None,
                                         sent, method=method)
        try:
            with urllib.request.urlopen(request) as reply:
                data = reply.read()
                return reply.status, reply.headers, json.loads(data) if data else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def test_every_call_conforms(self):
        for method, path, body, status in (
                ("GET", "/user", None, 200),
                ("GET", "/rate_limit", None, 200),
                ("GET", "/orgs/acme/members?per_page=100", None, 200),
                ("GET", "/orgs/acme/teams?per_page=100", None, 200),
                ("GET", "/orgs/acme/teams/the-sandbox/members?per_page=100", None, 200),
                ("GET", "/repos/acme/site/pulls?state=open&sort=created&direction=asc&per_page=100", None, 200),
                ("GET", "/repos/acme/site/pulls/7", None, 200),
                ("POST", "/repos/acme/site/statuses/" + "a" * 40, {"state": "pending", "context": "ocim"}, 201),
                ("GET", "/repos/acme/site/commits/" + "a" * 40 + "/statuses?per_page=100", None, 200),
                ("POST", "/repos/acme/site/issues/7/comments", {"body": "hello"}, 201),
                ("GET", "/repos/acme/site/issues/7/comments?per_page=100", None, 200)):
            self.assertEqual(self.call(method, path, body)[0], status, (path, self.order({})["violations"]))
        key = next(iter(self.order({})["comments"]))
        self.assertEqual(self.call("PATCH", "/repos/acme/site/issues/comments/" + key, {"body": "again"})[0], 200)
        self.assertEqual(self.call("DELETE", "/repos/acme/site/issues/comments/" + key)[0], 204)
        self.assertEqual(self.order({})["violations"], [])

    def test_what_does_not_conform_is_caught(self):
        for reason, method, path, body, headers in (
                ("an unknown field", "POST", "/repos/acme/site/issues/7/comments", {"body": "x", "more": 1}, {}),
                ("a missing field", "POST", "/repos/acme/site/issues/7/comments", {}, {}),
                ("a wrong type", "POST", "/repos/acme/site/issues/7/comments", {"body": 1}, {}),
                ("no value of the list", "POST", "/repos/acme/site/statuses/" + "a" * 40, {"state": "fine"}, {}),
                ("an unknown parameter", "GET", "/repos/acme/site/pulls?stat=open", None, {}),
                ("a word for a number", "GET", "/repos/acme/site/pulls?per_page=many", None, {}),
                ("an unknown path", "GET", "/repos/acme/site/pullz", None, {}),
                ("another version", "GET", "/user", None, {"X-GitHub-Api-Version": "1"})):
            before = len(self.order({})["violations"])
            self.assertEqual(self.call(method, path, body, **headers)[0], 500, reason)
            self.assertGreater(len(self.order({})["violations"]), before, reason)

    def test_an_unchanged_answer_costs_nothing(self):
        _, headers, _ = self.call("GET", "/repos/acme/site/pulls")
        used = self.order({})["used"]
        status, again, _ = self.call("GET", "/repos/acme/site/pulls", **{"If-None-Match": headers["ETag"]})
        self.assertEqual((status, self.order({})["used"], again["ETag"]), (304, used, headers["ETag"]))

    def test_pages_are_linked(self):
        self.order({"set": {"per_page_max": 2}})
        _, headers, first = self.call("GET", "/orgs/acme/members?per_page=100")
        self.assertEqual([item["login"] for item in first], ["ada", "bob"])
        self.assertIn('page=2>; rel="next"', headers["Link"])
        _, headers, last = self.call("GET", "/orgs/acme/members?per_page=100&page=2")
        self.assertEqual(len(last), 2)
        self.assertNotIn('rel="next"', headers["Link"])

    def test_the_quota_ends(self):
        self.order({"set": {"quota": 1}})
        self.assertEqual(self.call("GET", "/user")[0], 200)
        status, headers, _ = self.call("GET", "/user")
        self.assertEqual((status, headers["X-RateLimit-Remaining"]), (403, "0"))
        self.assertEqual(self.call("GET", "/rate_limit")[0], 200, "which itself is free")

    def test_an_answer_can_be_lost_after_its_effect(self):
        self.order({"fault": {"match": "POST .*/comments", "kind": "drop", "after": True}})
        before = len(self.order({})["comments"])
        with self.assertRaises(OSError):
            self.call("POST", "/repos/acme/site/issues/7/comments", {"body": "lost"})
        self.assertEqual(len(self.order({})["comments"]), before + 1)


if __name__ == "__main__":
    unittest.main()
