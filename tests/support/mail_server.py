#!/usr/bin/python3
"""A real SMTP server (aiosmtpd) that keeps what it takes, and that can be told to be difficult.

    mail_server.py PORT FOLDER [--tls starttls|implicit] [--authority FILE]

Each mail becomes FOLDER/mails/NNNN.json: the envelope, the text as it came, and how Python's own parser reads it.
FOLDER/behaviour.json is read at each command:

    user, password      who must log in; nobody when absent
    refuse, defer       lists of recipients
    data                take (default), defer, refuse, limit, stall, drop (takes it, and closes without an answer)
"""
import argparse
import asyncio
import email
import email.policy
import json
import pathlib
import signal
import ssl
import subprocess

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        self.mails = folder / "mails"
        self.mails.mkdir(parents=True, exist_ok=True)

    def behaviour(self):
        try:
            return json.loads((self.folder / "behaviour.json").read_text())
        except (OSError, ValueError):
            return {}

    def authenticate(self, server, session, envelope, mechanism, auth_data):
        told = self.behaviour()
        good = isinstance(auth_data, LoginPassword) and auth_data.login == told.get("user", "").encode() \
            and auth_data.password == told.get("password", "").encode()
        return AuthResult(success=good, handled=good)

    async def handle_RCPT(self, server, session, envelope, address, options):
        told = self.behaviour()
        if address in told.get("refuse", []):
            return "550 5.1.1 no such person"
        if address in told.get("defer", []):
            return "450 4.2.1 come again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        what = self.behaviour().get("data", "take")
        if what == "defer":
            return "451 4.3.0 come again"
        if what == "limit":
            return "421 4.7.0 too much mail"
        if what == "refuse":
            return "554 5.7.1 not that"
        if what == "stall":
            (self.folder / "stalled").touch()
            await asyncio.sleep(3600)
        self.keep(server, session, envelope)
        if what == "drop":
            server.transport.abort()
        return "250 2.0.0 taken"

    def keep(self, server, session, envelope):
        raw = envelope.original_content
        read = email.message_from_bytes(raw, policy=email.policy.default)
        files = [{"name": part.get_filename(), "text": part.get_content().replace("\r\n", "\n")} for part in read.iter_attachments()]
        body = read.get_body(preferencelist=("plain",))
        mail = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "hello": session.host_name,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "raw": raw.decode("ascii"), "headers": {name: str(value) for name, value in read.items()},
            "names": [name for name in read.keys()], "defects": [str(d) for d in read.defects],
            "text": body.get_content().replace("\r\n", "\n") if body else None, "files": files,
        }
        path = self.mails / f"{len(list(self.mails.glob('*.json'))):04}.json"
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(mail))
        unfinished.rename(path)


def certificate(folder, authority):
    """A key and a certificate for this host, made once; `authority` becomes a copy to trust."""
    key, chain = folder / "key.pem", folder / "chain.pem"
    if not chain.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key,
                        "-out", chain], check=True, capture_output=True)
    if authority:
        pathlib.Path(authority).write_bytes(chain.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    parser.add_argument("--authority")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    keeper = Keeper(given.folder)
    context = certificate(given.folder, given.authority) if given.tls else None

    def connection():
        wants_log_in = "user" in keeper.behaviour()
        return SMTP(keeper, hostname="mail.test", enable_SMTPUTF8=False, require_starttls=given.tls == "starttls",
                    tls_context=context if given.tls == "starttls" else None, auth_required=wants_log_in,
                    auth_require_tls=given.tls == "starttls", authenticator=keeper.authenticate)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", given.port,
                                      ssl=context if given.tls == "implicit" else None)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


asyncio.run(main())
