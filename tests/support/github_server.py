#!/usr/bin/python3
"""A GitHub of a test's own: the REST API as far as Ocim uses it, with state.

Every request is checked against GitHub's published OpenAPI description, and so is every answer of ours that is not
an ordered fault. What does not conform is kept in `violations` and answered with 500.

The test steers it below /_test: GET shows everything, POST takes {"set": {...}} (people, organizations,
repositories, pulls), or {"fault": {...}}:
  {"match": "POST /repos/.*/comments", "kind": "status", "status": 502, "times": 1, "after": true, ...}
kind: status, stall, drop, garbage; `after`: the request has its effect before its answer is spoilt. Of the kind meanwhile
`set` happens in the moment before the request does, and nothing is spoilt.
"""
import argparse
import datetime
import hashlib
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from openapi import OpenApi  # noqa: E402

VERSION = "2022-11-28"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refusal(Exception):
    def __init__(self, status, message, headers=None):
        super().__init__(message)
        self.status, self.headers = status, headers or {}


class GitHub:
    """The state, and what each call does to it. One lock around everything."""

    def __init__(self, api):
        self.api = api
        self.lock = threading.Lock()
        self.token = "token"
        self.me = "ocim-bot"
        self.people = {}         # login -> id
        self.organizations = {}  # name -> {"members": [login], "public": [login], "teams": {name: [login]}}
        self.repositories = {}   # "owner/name" -> {"pulls": {number: {...}}, "locked": [number]}
        self.comments = {}       # id -> {"repository", "number", "user", "body"}
        self.said = []           # what each write put into a comment, in turn
        self.statuses = []       # {"repository", "sha", "user", "state", "context", "target_url", "description"}
        self.per_page_max = 100
        self.quota = 5000
        self.used = 0            # of the quota: what was not answered by 304
        self.reset_in = 3600
        self.answers = []        # (call, status) of each
        self.paid_twice = []     # calls that were answered in full, though nothing had changed there since the last answer
        self.marks = {}          # target -> the ETag of its last answer
        self.faults, self.calls, self.violations = [], [], []
        self.next_id = 1000

    # --- what the test says

    def set(self, what):
        for name, value in what.items():
            if name == "pulls":
                for key, fields in value.items():
                    repository, number = key.split("#")
                    pull = self.repositories.setdefault(repository, {"pulls": {}})["pulls"].setdefault(
                        int(number), {"number": int(number), "state": "open", "title": "A change", "body": None,
                                      "author": "ada", "branch": "work", "sha": "0" * 40, "fork": repository,
                                      "closed_at": None, "draft": False})
                    pull.update(fields)
            elif name == "repositories":
                for key, fields in value.items():
                    self.repositories.setdefault(key, {"pulls": {}}).update(fields)
            elif name in ("people", "organizations"):
                getattr(self, name).update(value)
            elif name == "delete_comment":
                del self.comments[value]
            elif name == "comment":
                self.next_id += 1
                self.comments[self.next_id] = value
            elif name in ("token", "me", "quota", "per_page_max", "reset_in", "used", "calls", "faults", "answers",
                          "paid_twice"):
                setattr(self, name, value)
            else:
                raise ValueError(name)

    def shown(self):
        return {"comments": {str(k): v for k, v in self.comments.items()}, "statuses": self.statuses,
                "calls": self.calls, "used": self.used, "violations": self.violations, "faults": self.faults,
                "answers": self.answers, "paid_twice": self.paid_twice, "said": self.said}

    # --- GitHub's own shapes: the description's examples, with our values in them

    def user(self, login):
        out = self.api.example("simple-user")
        out.update(login=login, id=self.people.setdefault(login, 100 + len(self.people)),
                   type="Bot" if login.endswith("[bot]") else "User")
        return out

    def pull(self, repository, fields, full=False):
        out = self.api.example("pull-request" if full else "pull-request-simple-items")
        out = out if full else out[0]
        out.update(number=fields["number"], state=fields["state"], title=fields["title"], body=fields["body"],
                   draft=fields["draft"], user=self.user(fields["author"]), closed_at=fields["closed_at"],
                   merged_at=None, requested_teams=[], html_url=f"https://github.com/{repository}/pull/{fields['number']}")
        out["head"]["ref"], out["head"]["sha"] = fields["branch"], fields["sha"]
        if fields["fork"] is None:
            out["head"]["repo"] = None
        else:
            owner, name = fields["fork"].split("/")
            out["head"]["repo"].update(full_name=fields["fork"], name=name,
                                       clone_url=f"https://github.com/{fields['fork']}.git")
            out["head"]["label"] = f"{owner}:{fields['branch']}"
            out["head"]["repo"]["owner"]["login"] = owner
        out["base"]["repo"]["full_name"] = repository
        return out

    def comment(self, number):
        out = self.api.example("issue-comment")
        held = self.comments[number]
        out.update(id=number, body=held["body"], user=self.user(held["user"]))
        return out

    def status(self, held):
        out = self.api.example("status")
        out.update(state=held["state"], context=held["context"], target_url=held.get("target_url"),
                   description=held.get("description"), creator=self.user(held["user"]))
        return out

    # --- calls; each returns (status, value) or (status, items, "page")

    def repository(self, name):
        found = self.repositories.get(name)
        if found is None or found.get("hidden"):
            raise Refusal(404, "Not Found")
        if found.get("moved"):
            raise Refusal(301, "Moved Permanently", {"Location": found["moved"]})
        return found

    def organization(self, name):
        if name not in self.organizations:
            raise Refusal(404, "Not Found")
        return self.organizations[name]

    def call(self, method, path, query, body):
        for pattern, name in (
                (r"GET /user", "get_user"),
                (r"GET /rate_limit", "get_rate_limit"),
                (r"GET /orgs/([^/]+)/members", "list_members"),
                (r"GET /orgs/([^/]+)/teams", "list_teams"),
                (r"GET /orgs/([^/]+)/teams/([^/]+)/members", "list_team_members"),
                (r"GET /repos/([^/]+/[^/]+)/pulls", "list_pulls"),
                (r"GET /repos/([^/]+/[^/]+)/pulls/([0-9]+)", "get_pull"),
                (r"GET /repos/([^/]+/[^/]+)/commits/([^/]+)/statuses", "list_statuses"),
                (r"POST /repos/([^/]+/[^/]+)/statuses/([^/]+)", "create_status"),
                (r"GET /repos/([^/]+/[^/]+)/issues/([0-9]+)/comments", "list_comments"),
                (r"POST /repos/([^/]+/[^/]+)/issues/([0-9]+)/comments", "create_comment"),
                (r"PATCH /repos/([^/]+/[^/]+)/issues/comments/([0-9]+)", "update_comment"),
                (r"DELETE /repos/([^/]+/[^/]+)/issues/comments/([0-9]+)", "delete_comment")):
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return getattr(self, name)(*found.groups(), query=query, body=body)
        raise Refusal(404, "Not Found")

    def get_user(self, query, body):
        if self.me.endswith("[bot]"):
            raise Refusal(403, "Resource not accessible by integration")
        out = self.api.example("public-user-default-response")
        out.update(login=self.me, id=self.user(self.me)["id"])
        return 200, out

    def get_rate_limit(self, query, body):
        out = self.api.example("rate-limit-overview")
        state = {"limit": 5000, "remaining": max(0, self.quota - self.used), "reset": int(time.time()) + self.reset_in,
                 "used": self.used}
        out["resources"]["core"] = state
        out["rate"] = state
        return 200, out

    def list_members(self, name, query, body):
        held = self.organization(name)
        everybody = self.me in held.get("members", []) or self.me.endswith("[bot]")
        return 200, [self.user(login) for login in held.get("members" if everybody else "public", [])], "page"

    def list_teams(self, name, query, body):
        items = []
        for number, team in enumerate(self.organization(name).get("teams", {})):
            item = self.api.example("team-items")[0]
            item.update(id=number + 1, name=team, slug=self.slug(team), type="organization")
            items.append(item)
        return 200, items, "page"

    @staticmethod
    def slug(team):
        return re.sub(r"[^a-z0-9]+", "-", team.lower()).strip("-")

    def list_team_members(self, name, slug, query, body):
        for team, members in self.organization(name).get("teams", {}).items():
            if self.slug(team) == slug:
                return 200, [self.user(login) for login in members], "page"
        raise Refusal(404, "Not Found")

    def list_pulls(self, name, query, body):
        wanted = query.get("state", "open")
        pulls = [pull for _, pull in sorted(self.repository(name)["pulls"].items())
                 if wanted in ("all", pull["state"])]
        if query.get("direction") != "asc":
            pulls.reverse()
        return 200, [self.pull(name, pull) for pull in pulls], "page"

    def find_pull(self, name, number):
        pull = self.repository(name)["pulls"].get(int(number))
        if pull is None:
            raise Refusal(404, "Not Found")
        return pull

    def get_pull(self, name, number, query, body):
        return 200, self.pull(name, self.find_pull(name, number), full=True)

    def list_statuses(self, name, sha, query, body):
        self.repository(name)
        held = [item for item in self.statuses if (item["repository"], item["sha"]) == (name, sha)]
        return 200, [self.status(item) for item in reversed(held)], "page"

    def create_status(self, name, sha, query, body):
        pulls = self.repository(name)["pulls"].values()
        if not any(pull["sha"] == sha for pull in pulls) and not self.repositories[name].get("any_commit"):
            raise Refusal(422, f"No commit found for SHA: {sha}")
        if len(body.get("description") or "") > 140:
            raise Refusal(422, "Validation Failed: description is too long (maximum is 140 characters)")
        held = {"context": "default", **body, "repository": name, "sha": sha, "user": self.me}
        self.statuses.append(held)
        return 201, self.status(held)

    def list_comments(self, name, number, query, body):
        self.find_pull(name, number)
        held = [key for key, item in sorted(self.comments.items())
                if (item["repository"], item["number"]) == (name, int(number))]
        return 200, [self.comment(key) for key in held], "page"

    def create_comment(self, name, number, query, body):
        self.find_pull(name, number)
        if int(number) in self.repositories[name].get("locked", []):
            raise Refusal(403, "Unable to create comment because issue is locked.")
        if not body["body"] or len(body["body"]) > 65536:
            raise Refusal(422, "Validation Failed")
        self.next_id += 1
        self.said.append(body["body"])
        self.comments[self.next_id] = {"repository": name, "number": int(number), "user": self.me,
                                       "body": body["body"]}
        return 201, self.comment(self.next_id)

    def own_comment(self, name, key):
        held = self.comments.get(int(key))
        if held is None or held["repository"] != name:
            raise Refusal(404, "Not Found")
        if held["user"] != self.me:
            raise Refusal(403, "Must have admin rights to Repository.")
        return held

    def update_comment(self, name, key, query, body):
        self.own_comment(name, key)["body"] = body["body"]
        self.said.append(body["body"])
        return 200, self.comment(int(key))

    def delete_comment(self, name, key, query, body):
        self.own_comment(name, key)
        del self.comments[int(key)]
        return 204, None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github = None

    def log_message(self, *arguments):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/_test":
            with self.github.lock:
                if body:
                    order = json.loads(body)
                    self.github.set(order.get("set", {}))
                    if "fault" in order:
                        self.github.faults.append(order["fault"])
                value = self.github.shown()
            return self.send(200, value, {})
        with self.github.lock:
            fault = self.take_fault(url.path)
            if fault and fault["kind"] == "meanwhile":
                self.github.set(fault["set"])
                fault = None
            if fault is None or fault.get("after"):
                status, value, headers = self.answer(url, body)
                self.github.answers.append([f"{self.command} {self.path}", status])
        if fault is None:
            return self.send(status, value, headers)
        if fault["kind"] == "stall":
            time.sleep(fault.get("seconds", 30))
            fault = {"kind": "drop"}
        if fault["kind"] == "drop":
            self.close_connection = True
            return None
        if fault["kind"] == "garbage":
            return self.send_bytes(200, fault.get("text", "<html>no GitHub</html>").encode(), {"Content-Type": "text/html"})
        return self.send(fault["status"], {"message": fault.get("message", "ordered by the test")},
                         fault.get("headers", {}))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any

    def take_fault(self, path):
        for fault in self.github.faults:
            if re.fullmatch(fault["match"], f"{self.command} {path}"):
                fault["times"] = fault.get("times", 1) - 1
                if fault["times"] <= 0:
                    self.github.faults.remove(fault)
                return fault
        return None

    def answer(self, url, body):
        github = self.github
        github.calls.append(f"{self.command} {self.path}")
        limits = {"X-RateLimit-Limit": str(github.quota), "X-RateLimit-Resource": "core",
                  "X-RateLimit-Reset": str(int(time.time()) + github.reset_in)}

        def left():
            limits["X-RateLimit-Remaining"] = str(max(0, github.quota - github.used))
            limits["X-RateLimit-Used"] = str(github.used)
            return limits

        wrong = self.check_headers(body)
        pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        wrong += github.api.check_request(self.command, url.path, pairs, body)
        if wrong:
            return self.violated(wrong)
        if self.headers.get("Authorization") != "Bearer " + github.token:
            return 401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}, {}
        if url.path != "/rate_limit" and github.used >= github.quota:
            return 403, {"message": "API rate limit exceeded"}, left()
        try:
            result = github.call(self.command, url.path, dict(pairs), json.loads(body) if body else None)
        except Refusal as refusal:
            github.used += 1
            return refusal.status, {"message": str(refusal), "documentation_url": "https://docs.github.com/rest"}, {
                **left(), **refusal.headers}
        status, value, headers = result[0], result[1], {}
        if len(result) == 3:
            value, headers = self.page(url, dict(pairs), value)
        wrong = github.api.check_answer(self.command, url.path, status, value)
        if wrong:
            return self.violated(wrong)
        if self.command == "GET" and url.path != "/rate_limit":
            mark = hashlib.sha256((github.token + self.path + json.dumps(value)).encode()).hexdigest()
            headers["ETag"] = f'W/"{mark}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return 304, None, {**left(), **headers}
            if github.marks.get(self.path) == headers["ETag"]:
                github.paid_twice.append(self.path)
            github.marks[self.path] = headers["ETag"]
        if url.path != "/rate_limit":
            github.used += 1
        return status, value, {**left(), **headers}

    def violated(self, wrong):
        self.github.violations += [f"{self.command} {self.path}: {item}" for item in wrong]
        return 500, {"message": "; ".join(wrong)}, {}

    def check_headers(self, body):
        wrong = []
        if self.headers.get("Accept") != "application/vnd.github+json":
            wrong.append("Accept is not application/vnd.github+json")
        if self.headers.get("X-GitHub-Api-Version") != VERSION:
            wrong.append("X-GitHub-Api-Version is not " + VERSION)
        if not self.headers.get("User-Agent"):
            wrong.append("User-Agent is missing")
        if body and not (self.headers.get("Content-Type") or "").startswith("application/json"):
            wrong.append("Content-Type is not application/json")
        return wrong

    def page(self, url, query, items):
        size = min(int(query.get("per_page", 30)), self.github.per_page_max)
        number = int(query.get("page", 1))
        last = max(1, -(-len(items) // size))
        links = []

        def link(target, rel):
            changed = urllib.parse.urlencode({**query, "page": target})
            links.append(f'<http://{self.headers.get("Host")}{url.path}?{changed}>; rel="{rel}"')

        if number > 1:
            link(number - 1, "prev")
        if number < last:
            link(number + 1, "next")
            link(last, "last")
        return items[(number - 1) * size:number * size], {"Link": ", ".join(links)} if links else {}

    def send(self, status, value, headers):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_bytes(status, data, {"Content-Type": "application/json; charset=utf-8", **headers})

    def send_bytes(self, status, data, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that went away is its own business


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--description", required=True, help="api.github.com.json")
    given = arguments.parse_args()
    Handler.github = GitHub(OpenApi(given.description))
    server = Server(("127.0.0.1", given.port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
