#!/usr/bin/python3
"""What of Keystone stands before a Swift with tempauth: it checks what a log-in must look like, as the Identity API v3
has it, and hands out tokens of that Swift.

    keystone_server.py --port PORT --swift URL --account-at URL [--lifetime SECONDS]

A project is an account of the Swift, and its user "tester" is known here too. The application credential "app-<account>"
has the secret "app secret". The catalog has the regions One and Two; the account is in One, at --account-at, and with the
interface "internal" nowhere. GET /_test tells how many logged in.
"""
import argparse
import datetime
import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def member(of, *path):
    for word in path:
        if not isinstance(of, dict) or word not in of:
            raise Refused(400, f"'{word}' is a required property")
        of = of[word]
    return of


def who(auth):
    """The account, the user there and his key."""
    identity = member(auth, "identity")
    methods = member(identity, "methods")
    if methods == ["application_credential"]:
        if "scope" in auth:
            raise Refused(401, "Application credentials cannot request a scope.")
        given = member(identity, "application_credential")
        if member(given, "secret") != "app secret":
            raise Refused(401, "The request you have made requires authentication.")
        return member(given, "id").removeprefix("app-"), "tester", "testing"
    if methods != ["password"]:
        raise Refused(400, "methods")
    user, project = member(identity, "password", "user"), member(auth, "scope", "project")
    for named in user, project:
        if "id" not in named and member(named, "domain", "name") != "Default":
            raise Refused(401, "The request you have made requires authentication.")
    return member(project, "name"), member(user, "name"), member(user, "password")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    given, log_ins = None, 0

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.reply(200, Handler.log_ins)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if self.path != "/v3/auth/tokens":
                raise Refused(404, "not found")
            account, user, key = who(member(json.loads(body), "auth"))
            Handler.log_ins += 1
            ask = urllib.request.Request(self.given.swift + "/auth/v1.0", headers={
                "X-Auth-User": f"{account}:{user}", "X-Auth-Key": key})
            try:
                with urllib.request.urlopen(ask, timeout=100) as answer:
                    token = answer.headers["X-Auth-Token"]
            except urllib.error.HTTPError as error:
                raise Refused(401, "The request you have made requires authentication.") from error
            self.issue(account, token)
        except Refused as refused:
            self.reply(refused.status, {"error": {"code": refused.status, "message": refused.message}})

    def issue(self, account, token):
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(seconds=self.given.lifetime)
        store = [{"interface": "public", "region": "One", "region_id": "One", "url": f"{self.given.account_at}/v1/AUTH_{account}/"}]
        other = [{"interface": kind, "region": region, "region_id": region, "url": "http://127.0.0.1:1"}
                 for region in ("One", "Two") for kind in ("public", "internal")]
        self.reply(201, {"token": {
            "issued_at": now.isoformat() + "Z", "expires_at": end.isoformat() + "Z", "project": {"id": account},
            "catalog": [{"type": "compute", "endpoints": other}, {"type": "object-store", "endpoints": store}]}},
            {"X-Subject-Token": token})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--swift", required=True)
    parser.add_argument("--account-at", required=True)
    parser.add_argument("--lifetime", type=int, default=3600)
    Handler.given = parser.parse_args()
    ThreadingHTTPServer(("127.0.0.1", Handler.given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
