#!/usr/bin/python3
"""A New Relic of a test's own: NerdGraph as far as Ocim uses it, with state, and strict.

Documents are parsed and validated against newrelic_schema.graphql, variables too. What does not conform is kept in
`violations` and answered as NerdGraph does. What New Relic itself would refuse is refused in the form of that mutation.

Setting "stuck" names a list (policies, nrqlConditions, entities) each page of which leads to itself.

The test steers it below /_test: GET or POST {} shows everything, POST takes {"set": {...}} (see Settings), {"monitor":
{...}} (makes one by hand), {"change": {"guid": ..., ...}}, {"remove": guid}, {"break": {"list": "workflows", ...}} and
{"fault": {"match": "syntheticsCreate.*", "kind": "status", "status": 502, "times": 1, "after": true}}. Kinds: status,
drop, errors (class, status 200), result (type, in the mutation's own answer), late (the answer, when so many "calls"
more have come). `after`: with its effect.
"""
import argparse
import base64
import json
import pathlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from graphql import build_ast_schema, execute, parse, validate
from newrelic_alerts import AlertsApi

MINUTES = {"EVERY_MINUTE": 1, "EVERY_5_MINUTES": 5, "EVERY_10_MINUTES": 10, "EVERY_15_MINUTES": 15, "EVERY_30_MINUTES": 30,
           "EVERY_HOUR": 60, "EVERY_6_HOURS": 360, "EVERY_12_HOURS": 720, "EVERY_DAY": 1440}
LOCATIONS = set("US_EAST_1 US_EAST_2 US_WEST_1 US_WEST_2 CA_CENTRAL_1 EU_WEST_1 EU_WEST_2 EU_WEST_3 EU_CENTRAL_1 EU_NORTH_1 "
                "EU_SOUTH_1 AP_SOUTH_1 AP_EAST_1 SA_EAST_1 ME_SOUTH_1 AF_SOUTH_1".split())
AUTOMATIC = ("account", "accountId", "trustedAccountId")  # tags that each entity has, and nobody may write
TERM = re.compile(r"domain = 'SYNTH'|type = 'MONITOR'|accountId = (\d+)|tags\.`[^`']{1,128}` = '[^']{1,256}'")
SETTINGS = {"key": "NRAK-key", "account": 1234567, "page": 200, "index": "at once", "plan": None, "blind": False,
            "auth": "status", "quota": None, "retry_after": None, "locations_failing": 0, "locations_running": 0, "lost": False,
            "stuck": None}


class Refusal(Exception):
    """A GraphQL error, at HTTP 200 unless said otherwise."""

    def __init__(self, message, word, status=200, headers=None):
        super().__init__(message)
        self.word, self.status, self.headers = word, status, headers or {}

    def body(self):
        extensions = {"error_code" if self.word == "BAD_API_KEY" else "errorClass": self.word}
        return {"data": None, "errors": [{"message": str(self), "path": ["answer"], "extensions": extensions}]}


class NewRelic(AlertsApi):
    def __init__(self, schema):
        super().__init__()
        self.lock = threading.RLock()
        self.called = threading.Condition(self.lock)
        self.schema = schema
        self.settings = dict(SETTINGS)
        self.monitors, self.index, self.numbers = {}, {}, 0
        self.faults, self.calls, self.violations = [], [], []
        self.in_result = None  # what the next mutation's own answer is to say
        self.bind()

    def bind(self):
        """Gives each field that is more than a value its resolver."""
        def give(kind, **resolvers):
            for name, resolve in resolvers.items():
                self.schema.get_type(kind).fields[name].resolver = resolve
        give("RootQueryType", actor=lambda *_: {})
        give("Actor", account=lambda _, info, id: self.account(id), entitySearch=lambda _, info, query: self.search(query),
             entity=lambda _, info, guid: self.entity(guid),
             entities=lambda _, info, guids: [self.entity(guid) for guid in guids])
        give("EntitySearch", results=lambda found, info, cursor=None: self.page(found["items"], cursor, "entities"))
        give("RootMutationType", syntheticsCreateSimpleMonitor=self.create_monitor,
             syntheticsUpdateSimpleMonitor=self.update_monitor, syntheticsDeleteMonitor=self.delete_monitor,
             taggingReplaceTagsOnEntity=self.replace_tags)
        self.bind_alerts(give)
        guid = self.schema.get_type("EntityGuid")
        guid.serialize = guid.parse_value = str
        self.schema.get_type("EntityOutline").resolve_type = lambda *_: self.schema.get_type("SyntheticMonitorEntityOutline")
        self.schema.get_type("Entity").resolve_type = lambda *_: self.schema.get_type("SyntheticMonitorEntity")

    # --- reading

    def account(self, number):
        visible = number == self.settings["account"] and not self.settings["blind"]
        return {"id": number, "name": "test", **self.alerts_fields()} if visible else None

    def search(self, query):
        terms = query.split(" AND ")
        if not all(TERM.fullmatch(term) for term in terms):
            raise ValueError(f"no entity search: {query}")
        items = [item for _, item in sorted(self.index.items())]
        if f"accountId = {self.settings['account']}" not in terms or self.settings["blind"] or self.settings["lost"]:
            items = []
        return {"count": len(items), "items": [self.shown(item) for item in items]}

    def shown(self, item):
        automatic = {"account": ["test"], **{key: [str(self.settings["account"])] for key in AUTOMATIC[1:]}}
        tags = {**automatic, **item["tags"]}
        return {"guid": item["guid"], "name": item["name"], "monitorId": item["id"], "monitorType": item["kind"],
                "monitoredUrl": item["uri"], "period": MINUTES[item["period"]],
                "tags": [{"key": key, "values": values} for key, values in tags.items()],
                "tagsWithMetadata": [{"key": key, "values": [{"value": value, "mutable": key not in automatic} for value in values]}
                                     for key, values in tags.items()],
                "monitorSummary": {"status": item["status"], "locationsFailing": self.settings["locations_failing"],
                                   "locationsRunning": self.settings["locations_running"], "successRate": None}}

    def entity(self, guid):
        return self.shown(self.monitors[guid]) if guid in self.monitors else None

    def page(self, items, cursor, name):
        if name == self.settings["stuck"]:
            return {"nextCursor": "MA==", name: items, "totalCount": len(items)}
        start = int(base64.b64decode(cursor)) if cursor else 0
        end = start + self.settings["page"]
        after = base64.b64encode(str(end).encode()).decode() if end < len(items) else None
        return {"nextCursor": after, name: items[start:end], "totalCount": len(items)}

    # --- monitors

    def show(self, guid):
        """Lets the index see what there is of it."""
        if self.settings["index"] != "at once":
            return
        if guid in self.monitors:
            self.index[guid] = json.loads(json.dumps(self.monitors[guid]))
        else:
            self.index.pop(guid, None)

    def make(self, item):
        self.numbers += 1
        number = f"{self.numbers:08d}-0000-4000-8000-000000000000"
        guid = base64.b64encode(f"{self.settings['account']}|SYNTH|MONITOR|{number}".encode()).decode().rstrip("=")
        self.monitors[guid] = {"guid": guid, "id": number, "kind": "SIMPLE", "period": "EVERY_5_MINUTES", "status": "ENABLED",
                               "locations": ["US_EAST_1"], "advanced": {}, "tags": {}, **item}
        self.show(guid)
        return self.monitors[guid]

    def result_fault(self):
        fault, self.in_result = self.in_result, None
        return fault

    def wrong(self, given):
        """Why New Relic would not have this; nothing when it would."""
        if not 0 < len(given.get("name", "x")) <= 256:
            return "name: must be between 1 and 256 characters"
        if not re.match(r"https?://[^\s/]+", given.get("uri", "http://x")):
            return "uri: must be a URL"
        places = (given.get("locations") or {}).get("public", ["US_EAST_1"])
        if not places or not set(places) <= LOCATIONS:
            return f"locations.public: {places} are not valid locations"
        tags = given.get("tags") or []
        if len(tags) > 100 or any(not 0 < len(tag["key"]) <= 128 or any(len(value) > 256 for value in tag["values"]) for tag in tags):
            return "tags: too many or too long"
        return None

    def put(self, given, item):
        for key in ("name", "uri", "period", "status"):
            if given.get(key) is not None:
                item[key] = given[key]
        if given.get("locations"):
            item["locations"] = given["locations"]["public"]
        if given.get("advancedOptions"):
            item["advanced"] = dict(given["advancedOptions"])
        if given.get("tags") is not None and not self.untaggable(given["tags"]):
            item["tags"] = {tag["key"]: list(tag["values"]) for tag in given["tags"]}
        return item

    @staticmethod
    def untaggable(tags):
        return any(tag["key"] in AUTOMATIC for tag in tags or [])

    def answer_of(self, item, fault=None):
        errors = [{"type": fault["type"], "description": "as ordered"}] if fault else None
        return {"errors": errors, "monitor": dict(item) if item else None}

    def create_monitor(self, _, info, accountId, monitor):
        fault = self.result_fault()
        if accountId != self.settings["account"] or self.settings["blind"]:
            return {"errors": [{"type": "UNAUTHORIZED", "description": "no access to the account"}]}
        if fault and fault["type"] != "TAGGING_ERROR":
            return self.answer_of(None, fault)
        if wrong := self.wrong(monitor):
            return {"errors": [{"type": "BAD_REQUEST", "description": wrong}]}
        if self.settings["plan"] is not None and len(self.monitors) >= self.settings["plan"]:
            return {"errors": [{"type": "PAYMENT_REQUIRED", "description": "over the plan's limit"}]}
        if self.untaggable(monitor.get("tags")):
            fault = {"type": "TAGGING_ERROR"}
        item = self.put(monitor, {})
        if fault:
            item["tags"] = {}
        return self.answer_of(self.make(item), fault)

    def update_monitor(self, _, info, guid, monitor):
        fault = self.result_fault()
        if guid not in self.monitors:
            return {"errors": [{"type": "NOT_FOUND", "description": "no such monitor"}]}
        if fault and fault["type"] != "TAGGING_ERROR":
            return self.answer_of(None, fault)
        if wrong := self.wrong(monitor):
            return {"errors": [{"type": "BAD_REQUEST", "description": wrong}]}
        if self.untaggable(monitor.get("tags")):
            fault = {"type": "TAGGING_ERROR"}
        tags = self.monitors[guid]["tags"]
        self.put(monitor, self.monitors[guid])
        if fault:
            self.monitors[guid]["tags"] = tags
        self.show(guid)
        return self.answer_of(self.monitors[guid], fault)

    def delete_monitor(self, _, info, guid):
        if guid not in self.monitors:
            raise Refusal("Monitor not found", "NOT_FOUND")
        del self.monitors[guid]
        self.show(guid)
        return {"deletedGuid": guid}

    def replace_tags(self, _, info, guid, tags):
        if fault := self.result_fault():
            return {"errors": [{"type": fault["type"], "message": "as ordered"}]}
        if guid not in self.monitors:
            return {"errors": [{"type": "NOT_FOUND", "message": "no such entity"}]}
        if self.untaggable(tags):
            return {"errors": [{"type": "INVALID_KEY", "message": "a reserved key"}]}
        self.monitors[guid]["tags"] = {tag["key"]: list(tag["values"]) for tag in tags}
        self.show(guid)
        return {"errors": []}

    # --- one call

    def admit(self, headers):
        if self.settings["quota"] is not None:
            self.settings["quota"] -= 1
            if self.settings["quota"] < 0:
                wait = self.settings["retry_after"]
                raise Refusal("Too many requests", "TOO_MANY_REQUESTS", 429, {"Retry-After": str(wait)} if wait else {})
        if headers.get("API-Key") != self.settings["key"]:
            status = {"status": 401, "region": 403, "body": 200}[self.settings["auth"]]
            raise Refusal("The API key provided is invalid", "BAD_API_KEY", status)

    def read(self, headers, body):
        """The document and variables of a request; raises ValueError for what does not conform."""
        if headers.get("Content-Type", "").split(";")[0] != "application/json":
            raise ValueError("a body that is not declared as JSON")
        given = json.loads(body)
        if set(given) - {"query", "variables", "operationName"}:
            raise ValueError(f"the body holds {sorted(given)}")
        document = parse(given["query"])
        if errors := validate(self.schema, document):
            raise ValueError("; ".join(str(error) for error in errors))
        fields = [field for definition in document.definitions for field in definition.selection_set.selections]
        name = fields[0].name.value
        if name == "actor":
            name = fields[0].selection_set.selections[-1].name.value
        return document, given.get("variables", {}), name

    def run(self, document, variables):
        result = execute(self.schema, document, variable_values=variables)
        for error in result.errors or []:
            cause = getattr(error, "original_error", None)
            if isinstance(cause, Refusal):
                raise cause
            raise ValueError(str(error))
        return result.data

    def steer(self, order):
        self.settings.update(order.get("set", {}))
        if "index" in order.get("set", {}):
            for guid in set(self.monitors) | set(self.index):
                self.show(guid)
        if order.get("forget_faults"):
            self.faults = []
        if "fault" in order:
            self.faults.append({"times": 1, "after": False, **order["fault"]})
        made = self.make(order["monitor"])["guid"] if "monitor" in order else None
        if "change" in order:
            self.monitors[order["change"]["guid"]].update(order["change"])
            self.show(order["change"]["guid"])
        if "remove" in order:
            self.monitors.pop(order["remove"])
            self.show(order["remove"])
        if "break" in order:
            self.harm(order["break"])
        calls = self.calls
        if order.get("forget"):
            self.calls = []
        return {"made": made, "monitors": list(self.monitors.values()), "calls": calls,
                "violations": self.violations, **self.kept}

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
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def answered(self, service, body):
        """Status, body and headers of the reply; None: there is none."""
        fault = None
        try:
            document, variables, name = service.read(self.headers, body)
            service.calls.append(name)
            service.admit(self.headers)
            fault = service.fault_for(name)
            if fault and fault["kind"] == "result":
                service.in_result, fault = fault, None
            if fault and not fault["after"] and fault["kind"] != "late":
                return self.spoilt(fault)
            data = service.run(document, variables)
            if fault and fault["kind"] == "late":
                self.waits_for = len(service.calls) + fault["calls"]
                fault = None
            return self.spoilt(fault) if fault else (200, {"data": data}, {})
        except Refusal as refusal:
            return refusal.status, refusal.body(), refusal.headers
        except Exception as violation:  # whatever a document or a variable is wrong by
            service.violations.append(str(violation))
            return 200, {"errors": [{"message": str(violation), "extensions": {"errorClass": "BAD_USER_INPUT"}}]}, {}

    @staticmethod
    def spoilt(fault):
        if fault["kind"] == "status":
            return fault["status"], {"error": "as ordered"}, {}
        if fault["kind"] == "errors":
            refusal = Refusal("as ordered", fault["class"])
            return 200, refusal.body(), {}
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = self.server.service
        with service.lock:
            if self.path == "/_test":
                return self.say(200, service.steer(json.loads(body or "{}")), {})
            if self.path != "/graphql":
                return self.say(404, {"error": "no such path"}, {})
            self.waits_for = 0
            reply = self.answered(service, body)
            service.called.notify_all()
            service.called.wait_for(lambda: len(service.calls) >= self.waits_for, timeout=10)
        if reply:
            return self.say(*reply)
        self.close_connection = True

    def log_message(self, form, *values):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    text = pathlib.Path(__file__).with_name("newrelic_schema.graphql").read_text()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    server.service = NewRelic(build_ast_schema(parse(text)))
    server.serve_forever()
