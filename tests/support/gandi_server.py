#!/usr/bin/python3
"""A Gandi LiveDNS of a test's own: API v5 as far as Ocim uses it, with state, and strict.

What does not conform (path, method, header, body, or a call that no controller should make) is kept in `violations`
and answered with 500. What the service itself would refuse is refused as it refuses it.

The test steers it below /_test: GET or POST {} shows everything, POST takes {"set": {"token": ..., "expired": true,
"page_max": 500, "quota": 10, "retry_after": 2}}, {"put": {"name": ..., "type": ..., "ttl": ..., "values": [...]}},
{"remove": {"name": ..., "type": ...}} and {"fault": {...}}:
  {"match": "PUT /.*/records/www/A", "kind": "status", "status": 502, "times": 1, "after": true}
kind: status, drop; `after`: the request has its effect before its answer is spoilt. A quota is of calls from then on.
"""
import argparse
import ipaddress
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPES = "A AAAA ALIAS CAA CDS CNAME DNAME DS KEY LOC MX NAPTR NS OPENPGPKEY PTR RP SPF SRV SSHFP TLSA TXT WKS".split()
LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rf"@|\*|(\*\.)?{LABEL}(\.{LABEL})*")
TARGET = rf"({LABEL}(\.{LABEL})*\.?|\.)"
QUOTED = r'"([^"\\]|\\.){0,1020}"'
FORMS = {
    "CNAME": TARGET, "NS": TARGET, "MX": rf"\d{{1,5}} {TARGET}", "SRV": rf"\d{{1,5}} \d{{1,5}} \d{{1,5}} {TARGET}",
    "TXT": rf"{QUOTED}( {QUOTED})*", "CAA": rf"\d{{1,3}} [a-z0-9]+ {QUOTED}",
}


class Violation(Exception):
    pass


class Refusal(Exception):
    def __init__(self, status, body, headers=None):
        super().__init__(str(body))
        self.status, self.body, self.headers = status, body, headers or {}


def bad(name, description):
    """The form in which a body is refused."""
    return Refusal(400, {"status": "error", "errors": [{"location": "body", "name": name, "description": description}]})


def missing(what, kind):
    return Refusal(404, {"code": 404, "message": f"Can't find {what}", "object": kind, "cause": "Not Found"})


def form_of(kind, value):
    """The value as the service keeps it; refuses what is none of the type."""
    try:
        if kind == "A":
            return str(ipaddress.IPv4Address(value))
        if kind == "AAAA":
            return ipaddress.IPv6Address(value).exploded  # compressed differently than it was sent
    except ValueError:
        raise bad("rrset_values", f"{value!r} is no address") from None
    if kind == "TXT" and not value.startswith('"'):
        raise Violation(f"a TXT value without quotes: {value}")
    if kind in FORMS and not re.fullmatch(FORMS[kind], value):
        raise bad("rrset_values", f"{value!r} is no {kind}")
    if kind in ("CNAME", "NS", "MX", "SRV") and not value.endswith("."):
        raise Violation(f"a target that is not absolute: {value}")
    return value


class LiveDns:
    def __init__(self, domain):
        self.lock = threading.Lock()
        self.domain = domain
        self.settings = {"token": "token", "expired": False, "page_max": 500, "quota": None, "retry_after": None}
        self.sets = {("@", "NS"): (10800, ["ns-1-a.gandi.net."])}
        self.faults, self.calls, self.violations = [], [], []

    def admit(self, headers):
        if self.settings["quota"] is not None:
            self.settings["quota"] -= 1
            if self.settings["quota"] < 0:
                wait = self.settings["retry_after"]
                raise Refusal(429, {"code": 429, "message": "Too many requests", "object": "HTTPTooManyRequests"},
                              {"Retry-After": str(wait)} if wait else {})
        if self.settings["expired"]:
            raise Refusal(403, "<html>Forbidden</html>")
        if headers.get("Authorization") != "Bearer " + self.settings["token"]:
            raise Refusal(401, {"code": 401, "message": "The server could not verify that you are authorized",
                                "object": "HTTPUnauthorized", "cause": "Unauthorized"})

    def answer(self, method, path, query, headers, body):
        self.admit(headers)
        if method != "PUT" and body:
            raise Violation(f"{method} with a body")
        parts = path.removeprefix("/v5/livedns/domains/").split("/")
        if not path.startswith("/v5/livedns/domains/") or len(parts) not in (1, 2, 4):
            raise Violation(f"no such path: {path}")
        if parts[0] != self.domain:
            raise missing("the domain", "HTTPNotFound")
        if len(parts) == 1 and method == "GET":
            return 200, {"fqdn": self.domain, "automatic_snapshots": False}, {}
        if len(parts) == 2 and parts[1] == "records" and method == "GET":
            return self.page(query)
        if len(parts) != 4 or parts[1] != "records":
            raise Violation(f"{method} {path}")
        name, kind = urllib.parse.unquote(parts[2]).lower(), parts[3]
        if not NAME.fullmatch(name) or kind not in TYPES:
            raise Violation(f"no such record set can be: {name} {kind}")
        if query:
            raise Violation("a query")
        if method == "PUT":
            return self.put(name, kind, headers, body)
        if method == "DELETE":
            if (name, kind) not in self.sets:
                raise missing(f"the DNS record {name}/{kind} in the zone", "dns-record")
            del self.sets[name, kind]
            return 204, None, {}
        raise Violation(f"{method} {path}")

    def page(self, query):
        if set(query) - {"page", "per_page"}:
            raise Violation(f"unknown parameters: {query}")
        number = int(query.get("page", "1"))
        size = min(int(query.get("per_page", "500")), self.settings["page_max"])
        items = sorted(self.sets.items())
        shown = [{"rrset_name": name, "rrset_type": kind, "rrset_ttl": ttl, "rrset_values": values[::-1],
                  "rrset_href": "https://api.gandi.net/nobody-reads-this"}
                 for (name, kind), (ttl, values) in items[(number - 1) * size:number * size]]
        headers = {"Total-Count": str(len(items))}
        if number * size < len(items):
            base = f"https://api.gandi.net/v5/livedns/domains/{self.domain}/records?page="
            last = (len(items) + size - 1) // size
            headers["Link"] = f'<{base}{number + 1}>; rel="next", <{base}{last}>; rel="last"'
        return 200, shown, headers

    def put(self, name, kind, headers, body):
        if headers.get("Content-Type", "").split(";")[0] != "application/json":
            raise Violation("a body that is not declared as JSON")
        given = json.loads(body)
        if set(given) != {"rrset_ttl", "rrset_values"}:
            raise Violation(f"the body holds {sorted(given)}")
        ttl, values = given["rrset_ttl"], given["rrset_values"]
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise Violation("rrset_values")
        if not isinstance(ttl, int) or not 300 <= ttl <= 2592000:
            raise bad("rrset_ttl", "300 is less than minimum, or 2592000 is more than maximum")
        others = {other for at, other in self.sets if at == name and other != kind}
        if (kind == "CNAME" and (others or name == "@")) or "CNAME" in others:
            raise Refusal(400, {"code": 400, "message": "A CNAME record already exists, or cannot be created beside others",
                                "object": "HTTPBadRequest", "cause": "Bad Request"})
        if kind == "CNAME" and len(values) != 1:
            raise bad("rrset_values", "a CNAME has one value")
        self.sets[name, kind] = (ttl, [form_of(kind, value) for value in values])
        return 201, {"message": "DNS Record Created"}, {}

    def steer(self, order):
        self.settings.update(order.get("set", {}))
        if "fault" in order:
            self.faults.append({"times": 1, "after": False, **order["fault"]})
        if "put" in order:
            item = order["put"]
            self.sets[item["name"], item["type"]] = (item.get("ttl", 300), item["values"])
        if "remove" in order:
            self.sets.pop((order["remove"]["name"], order["remove"]["type"]), None)
        if order.get("forget"):
            self.calls.clear()
        return {"sets": {f"{name} {kind}": {"ttl": ttl, "values": values}
                         for (name, kind), (ttl, values) in self.sets.items()},
                "calls": self.calls, "violations": self.violations}

    def fault_for(self, call):
        for fault in self.faults:
            if fault["times"] > 0 and re.fullmatch(fault["match"], call):
                fault["times"] -= 1
                return fault
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def say(self, status, body, headers):
        text = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parsed = urllib.parse.urlsplit(self.path)
        service = self.server.service
        with service.lock:
            if parsed.path == "/_test":
                return self.say(200, service.steer(json.loads(body or "{}")), {})
            call = f"{self.command} {parsed.path}"
            service.calls.append(call)
            fault = service.fault_for(call)
            if not fault or fault["after"]:
                try:
                    reply = service.answer(self.command, parsed.path, dict(urllib.parse.parse_qsl(parsed.query)),
                                           self.headers, body)
                except Refusal as refusal:
                    reply = refusal.status, refusal.body, refusal.headers
                except (Violation, ValueError) as violation:
                    service.violations.append(f"{call}: {violation}")
                    reply = 500, {"code": 500, "message": str(violation)}, {}
        if not fault:
            return self.say(*reply)
        if fault["kind"] == "status":
            return self.say(fault["status"], {"code": fault["status"], "message": "as ordered"}, {})
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer

    def log_message(self, form, *values):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--domain", required=True)
    given = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    server.service = LiveDns(given.domain)
    server.serve_forever()
