"""Logs in to a MongoDB as a site would (SCRAM-SHA-256, RFC 5802 and 7677) and asks it something."""
import base64
import hashlib
import hmac
import os
import pathlib
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mongodb_bson as bson  # noqa: E402

OP_MSG = 2013


class Refused(Exception):
    pass


class Client:
    """One connection, logged in; Refused when the server does not let it in."""

    def __init__(self, address, port, home, user, password):
        self.socket = socket.create_connection((address, port), timeout=20)
        try:
            self.log_in(home, user, password)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def take(self, count):
        out = b""
        while len(out) < count:
            some = self.socket.recv(count - len(out))
            if not some:
                raise Refused("the connection was closed")
            out += some
        return out

    def run(self, database, **command):
        body = struct.pack("<I", 0) + b"\0" + bson.encode({**command, "$db": database})
        self.socket.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, OP_MSG) + body)
        length, = struct.unpack_from("<i", self.take(16))
        answer = bson.decode(self.take(length - 16)[5:])
        if answer.get("ok") != 1 or answer.get("writeErrors"):
            raise Refused(answer.get("errmsg", str(answer)))
        return answer

    def log_in(self, home, user, password):
        name = user.replace("=", "=3D").replace(",", "=2C")
        bare = f"n={name},r={base64.b64encode(os.urandom(18)).decode()}"
        first = self.run(home, saslStart=1, mechanism="SCRAM-SHA-256", payload=bson.Binary(b"n,," + bare.encode()))
        text = bytes(first["payload"]).decode()
        said = dict(part.split("=", 1) for part in text.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={said['r']}"
        message = f"{bare},{text},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        conversation = first["conversationId"]
        answer = self.run(home, saslContinue=1, conversationId=conversation,
                          payload=bson.Binary(f"{without_proof},p={proof}".encode()))
        expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        if bytes(answer["payload"]) != b"v=" + base64.b64encode(expected):
            raise Refused("the server does not know the password")
        if not answer["done"]:
            self.run(home, saslContinue=1, conversationId=conversation, payload=bson.Binary(b""))
