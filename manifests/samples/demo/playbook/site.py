#!/usr/bin/python3
"""The demonstration's web site. Its page says whether the database and the broker answer to its own credentials."""
import base64
import hmac
import html
import http.server
import json
import socket
import struct
import subprocess
import tempfile
import time

SETTINGS = json.load(open("/opt/site/settings.json", encoding="utf-8"))


def database():
    """Counts this visit in the site's own database."""
    mysql = SETTINGS["mysql"]
    statement = ("CREATE TABLE IF NOT EXISTS visits (id INT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP); "
                 "INSERT INTO visits () VALUES (); SELECT COUNT(*) FROM visits")
    options = f"[client]\nhost={mysql['host']}\nport={mysql['port']}\nuser={mysql['user']}\npassword={mysql['password']}\n"
    with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".cnf", encoding="utf-8") as file:  # of this visit alone
        file.write(options)
        file.flush()
        run = subprocess.run(["mariadb", f"--defaults-file={file.name}", "-N", "-B", mysql["database"]], input=statement,
                             capture_output=True, text=True, timeout=10)
    return f"ok, visit {run.stdout.strip()}" if run.returncode == 0 else "error: " + run.stderr.strip()


def frame(channel, method, arguments):
    payload = struct.pack(">HH", *method) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


def short(text):
    return struct.pack(">B", len(text)) + text


def read_method(stream):
    kind, _, size = struct.unpack(">BHI", stream.read(7))
    payload = stream.read(size + 1)
    return struct.unpack(">HH", payload[:4]) if kind == 1 else None, payload[4:]


def broker():
    """Opens a connection to the site's vhost: AMQP 0-9-1, sections 1.4.2 and 2.2.4."""
    settings = SETTINGS["broker"]
    host, port = settings["address"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rwb") as stream:
        stream.write(b"AMQP\x00\x00\x09\x01")
        stream.flush()
        read_method(stream)  # start
        login = b"\x00" + settings["user"].encode() + b"\x00" + settings["password"].encode()
        stream.write(frame(0, (10, 11), struct.pack(">I", 0) + short(b"PLAIN") + struct.pack(">I", len(login)) + login
                           + short(b"en_US")))
        stream.flush()
        method, arguments = read_method(stream)
        if method != (10, 30):
            return f"error: the broker refused the login ({method})"
        stream.write(frame(0, (10, 31), arguments[:8]) + frame(0, (10, 40), short(settings["vhost"].encode()) + short(b"") + b"\x00"))
        stream.flush()
        method, _ = read_method(stream)
        return "ok, vhost " + settings["vhost"] if method == (10, 41) else f"error: the vhost is closed to us ({method})"


def attempt(check):
    try:
        return check()
    except Exception as error:  # the page says what is wrong
        return f"error: {error}"


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        login = base64.b64encode(f"{SETTINGS['user']}:{SETTINGS['password']}".encode()).decode()
        if not hmac.compare_digest(self.headers.get("Authorization", ""), f"Basic {login}"):
            return self.answer(401, "who are you?\n", {"WWW-Authenticate": 'Basic realm="site"'})
        seconds = self.path.rpartition("?seconds=")[2]  # a page that takes long
        if seconds.isdigit():
            time.sleep(min(int(seconds), 30))
        page = (f"{SETTINGS['name']} at {self.headers.get('Host', '').split(':')[0]}\n"
                f"database: {attempt(database)}\nbroker:   {attempt(broker)}\n")
        if SETTINGS["extra"]:
            page += f"extra:    {SETTINGS['extra']}\n"
        return self.answer(200, page if "text/html" not in self.headers.get("Accept", "") else
                           f"<!doctype html><meta charset=utf-8><pre>{html.escape(page)}</pre>")

    do_HEAD = do_GET

    def answer(self, status, text, headers=None):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", 80), Site).serve_forever()
