#!/usr/bin/python3
"""A MongoDB server, or a replica set, of a test's own: the wire protocol, SCRAM, and the commands that Ocim uses.

No mongod is to be had from Debian, so this stands in its place. It is strict: a message that is not well formed, a
command with a field that its manual does not know, or one that a careful controller does not send (a write without
majority, a read from a secondary, a command without a bound of time) is kept in `violations`.

The test steers it by HTTP on --control: POST {} shows everything; {"run": {...}, "db": "x"} runs a command as nobody
could refuse it; {"set": {...}} changes settings ("primary": index of a member, "shows_credentials", "reply_max", "batch_max",
"tries_at_once"); {"copy": {"user", "db", "count", "roles", "customData"}} makes many users with one's password;
{"fault": {"match": "createUser", "about": "a text in it", "kind": "error", "code": 13, "times": 1, "after": true}};
{"faults": "none"}. kind: error, concern (done here, not confirmed by others), write_error (nothing is done, and the answer
is ok), drop, stall; `after`: the command has its effect first.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import socketserver
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mongodb_bson as bson
from mongodb_commands import NAMES, Deployment
from mongodb_values import Refusal, Violation

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HANDSHAKE = {"hello", "ismaster"}
MESSAGE_MAX = 48_000_000


def refusal(code, words):
    return {"ok": 0.0, "errmsg": words, "code": code, "codeName": NAMES.get(code, f"Location{code}")}


class Server:
    def __init__(self, ports, replica_set):
        self.lock = threading.Lock()
        self.kept = Deployment()
        self.ports, self.replica_set, self.primary = ports, replica_set, 0
        self.faults, self.sessions, self.logins, self.refused = [], set(), 0, 0
        self.stalled = threading.Event()

    def hello(self, member, legacy):
        out = {"helloOk": True, "isWritablePrimary": member == self.primary}
        if legacy:
            out["ismaster"] = member == self.primary
        if self.replica_set:
            hosts = [f"127.0.0.1:{port}" for port in self.ports]
            out |= {"setName": self.replica_set, "setVersion": 1, "hosts": hosts, "me": hosts[member],
                    "secondary": member != self.primary}
            if self.primary is not None:
                out["primary"] = hosts[self.primary]
        out |= {"maxBsonObjectSize": 16 * 1024 * 1024, "maxMessageSizeBytes": MESSAGE_MAX, "maxWriteBatchSize": 100000,
                "localTime": bson.Date(time.time() * 1000), "logicalSessionTimeoutMinutes": 30, "connectionId": 1,
                "minWireVersion": 0, "maxWireVersion": 17, "readOnly": False}
        return out

    def fault_for(self, name, command):
        for fault in self.faults:
            if fault["times"] > 0 and re.fullmatch(fault["match"], name) and fault.get("about", "") in repr(command):
                fault["times"] -= 1
                return fault
        return None

    def order(self, what):
        if "run" in what:
            command = {**what["run"], "$db": what.get("db", "admin"), "maxTimeMS": 1000,
                       "writeConcern": {"w": "majority"}}
            with self.lock:
                try:
                    name = next(iter(what["run"]))
                    return {"ok": 1, **getattr(self.kept, "do_" + name)(None, command, command["$db"])}
                except Refusal as error:
                    return refusal(error.code, str(error))
        with self.lock:
            for key, value in what.get("set", {}).items():
                if key == "primary":
                    self.primary = value
                    for session in list(self.sessions):
                        session.hang_up()
                else:
                    self.kept.settings[key] = value
            if what.get("faults") == "none":
                self.faults.clear()
                self.stalled.set()
                self.stalled = threading.Event()
            if "fault" in what:
                self.faults.append({"kind": "error", "times": 1, "after": False, **what["fault"]})
            if "copy" in what:
                self.copy(**what["copy"])
            kept = self.kept
            return {"users": {f"{name}@{db}": {k: v for k, v in user.items() if k not in ("userId", "credentials")}
                              for (db, name), user in kept.users.items()} if len(kept.users) < 200 else {},
                    "data": kept.data if len(kept.users) < 200 else {}, "commands": kept.commands,
                    "violations": kept.violations, "logins": self.logins, "refused": self.refused,
                    "sessions": len(self.sessions)}

    def copy(self, user, db, count, roles, customData):
        of = self.kept.users[(db, user)]
        for n in range(1, count):
            name = f"{user}_{n}"
            self.kept.users[(db, name)] = {**of, "_id": f"{db}.{name}", "user": name, "roles": roles,
                                           "customData": customData}
            self.kept.shown((db, name), True)


class Hangup(Exception):
    pass


class Session(socketserver.BaseRequestHandler):
    def setup(self):
        self.server_ = self.server.deployment
        self.who = self.sasl = None
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        with self.server_.lock:
            self.server_.sessions.add(self)

    def finish(self):
        with self.server_.lock:
            self.server_.sessions.discard(self)

    def hang_up(self):
        try:
            self.request.shutdown(2)
        except OSError:
            pass

    def take(self, count):
        out = b""
        while len(out) < count:
            some = self.request.recv(count - len(out))
            if not some:
                raise Hangup
            out += some
        return out

    def handle(self):
        try:
            while True:
                length, number, _, opcode = struct.unpack("<iiii", self.take(16))
                if not 16 < length <= MESSAGE_MAX:
                    raise bson.Malformed(f"a message of {length} bytes")
                self.message(number, opcode, self.take(length - 16))
        except (Hangup, OSError):
            pass
        except (bson.Malformed, struct.error) as error:
            with self.server_.lock:
                self.server_.kept.violations.append(f"wire: {error}")

    def message(self, number, opcode, body):
        if opcode == OP_QUERY:
            end = body.index(b"\0", 4)
            space = body[4:end].decode()
            command = bson.decode(body[end + 9:])
            if space != "admin.$cmd" or next(iter(command)).lower() not in HANDSHAKE:
                raise bson.Malformed(f"OP_QUERY is for the first hello only, not for {space}")
            command["$db"] = "admin"
            reply = bson.encode(self.answer(command))
            self.send(OP_REPLY, number, struct.pack("<iqii", 8, 0, 0, 1) + reply)
            return
        if opcode != OP_MSG:
            raise bson.Malformed(f"opcode {opcode}")
        flags, = struct.unpack_from("<I", body)
        if flags & ~(1 << 16):
            raise bson.Malformed(f"flags {flags:#x}")
        command, at = None, 4
        while at < len(body):
            kind, at = body[at], at + 1
            if kind == 0:
                if command is not None:
                    raise bson.Malformed("two bodies")
                command, size = bson.decode_some(body[at:])
                at += size
            elif kind == 1 and command is not None:
                size, = struct.unpack_from("<i", body, at)
                name_end = body.index(b"\0", at + 4)
                documents, here = [], name_end + 1
                while here < at + size:
                    document, length = bson.decode_some(body[here:at + size])
                    documents.append(document)
                    here += length
                command[body[at + 4:name_end].decode()] = documents
                at += size
            else:
                raise bson.Malformed(f"section {kind}")
        if command is None or not isinstance(command.get("$db"), str):
            raise bson.Malformed("a message without a body or its $db")
        self.send(OP_MSG, number, struct.pack("<I", 0) + b"\0" + bson.encode(self.answer(command)))

    def send(self, opcode, to, body):
        self.request.sendall(struct.pack("<iiii", 16 + len(body), 1, to, opcode) + body)

    # --- what is answered

    def answer(self, command):
        name = next(iter(command))
        server = self.server_
        if name.lower() in HANDSHAKE:
            with server.lock:
                out = server.hello(self.server.member, name != "hello")
            asked = command.get("speculativeAuthenticate")
            if asked and asked.get("mechanism") == "SCRAM-SHA-256":
                try:
                    out["speculativeAuthenticate"] = self.begin({**asked, "$db": asked["db"]})
                except Refusal:
                    pass  # the client asks again and is told
            return {**out, "ok": 1.0}
        try:
            if name == "saslStart":
                return {**self.begin(command), "ok": 1.0}
            if name == "saslContinue":
                return {**self.go_on(command), "ok": 1.0}
        except Refusal as error:
            with server.lock:
                server.refused += 1
            return refusal(error.code, str(error))
        if self.who is None:
            return refusal(13, f"command {name} requires authentication")
        return self.command(name, command)

    def command(self, name, command):
        server = self.server_
        with server.lock:
            counts = server.kept.commands.setdefault(self.who[1], {})
            counts[name] = counts.get(name, 0) + 1
            fault = server.fault_for(name, command)
            stalled = server.stalled
        if fault and not fault["after"]:
            return self.spoil(fault, stalled)
        with server.lock:
            if server.replica_set and self.server.member != server.primary:
                return refusal(10107, "not primary")
            try:
                out = {**server.kept.run(self.who, command), "ok": 1.0}
            except Refusal as error:
                return refusal(error.code, str(error))
            except Violation as error:
                server.kept.violations.append(str(error))
                return refusal(9, str(error))
        if fault:
            return self.spoil(fault, stalled, out)
        return out

    def spoil(self, fault, stalled, out=None):
        if fault["kind"] == "drop":
            self.hang_up()
            raise Hangup
        if fault["kind"] == "stall":
            stalled.wait(120)
            raise Hangup
        if fault["kind"] == "concern":
            return {**(out or {"ok": 1.0}), "writeConcernError": {"code": 64, "codeName": "WriteConcernFailed",
                                                                   "errmsg": "waiting for replication timed out"}}
        if fault["kind"] == "write_error":
            return {"ok": 1.0, "n": 0, "writeErrors": [{"index": 0, "code": fault["code"], "errmsg": "injected"}]}
        return refusal(fault["code"], fault.get("errmsg", "injected"))

    # --- SCRAM, RFC 5802

    def begin(self, command):
        payload = bytes(command["payload"]).decode()
        found = re.fullmatch(r"n,,(n=([^,]+),r=([^,]+))", payload)
        mechanism = command["mechanism"]
        if not found or mechanism not in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            raise Refusal(2, "SCRAM: a first message that is none")
        name = found[2].replace("=2C", ",").replace("=3D", "=")
        with self.server_.lock:
            user = self.server_.kept.users.get((command["$db"], name))
            known = user["credentials"].get(mechanism) if user else None
        if known is None:
            raise Refusal(18, "Authentication failed.")
        first = f"r={found[3]}{base64.b64encode(os.urandom(18)).decode()},s={known['salt']},i={known['iterationCount']}"
        self.sasl = {"key": (command["$db"], name), "known": known, "mechanism": mechanism, "done": False,
                     "bare": found[1], "first": first, "skips": command.get("options", {}).get("skipEmptyExchange")}
        return {"conversationId": 1, "done": False, "payload": bson.Binary(first.encode())}

    def go_on(self, command):
        state = self.sasl
        if state is None or command.get("conversationId") != 1:
            raise Refusal(17, "No SASL session state found")
        if state["done"]:
            self.log_in(state["key"])
            return {"conversationId": 1, "done": True, "payload": bson.Binary(b"")}
        final = bytes(command["payload"]).decode()
        bare, _, proof = final.rpartition(",p=")
        algorithm = "sha256" if state["mechanism"] == "SCRAM-SHA-256" else "sha1"
        message = f"{state['bare']},{state['first']},{bare}".encode()
        stored = base64.b64decode(state["known"]["storedKey"])
        signature = hmac.digest(stored, message, algorithm)
        given = base64.b64decode(proof)
        key = bytes(a ^ b for a, b in zip(given, signature))
        nonce = re.match(r"r=([^,]+)", state["first"])[1]
        if not bare.startswith("c=biws,r=" + nonce) or hashlib.new(algorithm, key).digest() != stored:
            raise Refusal(18, "Authentication failed.")
        proof = hmac.digest(base64.b64decode(state["known"]["serverKey"]), message, algorithm)
        state["done"] = True
        if state["skips"]:
            self.log_in(state["key"])
        return {"conversationId": 1, "done": bool(state["skips"]),
                "payload": bson.Binary(b"v=" + base64.b64encode(proof))}

    def log_in(self, key):
        self.who, self.sasl = key, None
        with self.server_.lock:
            self.server_.logins += 1


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128
    tls = None

    def handle_error(self, request, client_address):
        pass  # a TLS handshake that was broken off


def control(server):
    class Control(BaseHTTPRequestHandler):
        def do_POST(self):
            what = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            body = json.dumps(server.order(what), default=lambda value: value.hex() if isinstance(value, bytes) else str(value)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Control


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, action="append", required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--replica-set", default="")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user", default="ocim")
    parser.add_argument("--password-file", required=True)
    given = parser.parse_args()
    server = Server(given.port, given.replica_set)
    with open(given.password_file, encoding="utf-8") as file:
        password = file.read()
    roles = [{"role": role, "db": "admin"} for role in ("userAdminAnyDatabase", "dbAdminAnyDatabase")]
    server.order({"run": {"createUser": given.user, "pwd": password, "mechanisms": ["SCRAM-SHA-256"],
                          "roles": roles + [{"role": "readWrite", "db": "ocim_meta"}]}})
    for member, port in enumerate(given.port):
        listener = Listener((given.address, port), Session)
        listener.deployment, listener.member = server, member
        if given.certificate:
            listener.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            listener.tls.load_cert_chain(given.certificate, given.key)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", given.control), control(server)).serve_forever()


if __name__ == "__main__":
    main()
