"""Of MongoDB's commands what needs no server: passwords, and which documents a filter matches.

`Refusal` is an answer of the server (ok: 0); `Violation` is a command that no server would understand, or that no
controller should send: it is kept and answered as one that is not understood.
"""
import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata


class Refusal(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


class Violation(Exception):
    pass


def prepared(password):
    """SASLprep, RFC 4013."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    text = unicodedata.normalize("NFKC", mapped)
    if any(stringprep.in_table_c21_c22(c) or stringprep.in_table_c3(c) or stringprep.in_table_c8(c) for c in text):
        raise Refusal(2, "Error preflighting UTF-8 password: it has characters that are prohibited")
    return text.encode()


def keys_of(mechanism, user, password, salt, rounds):
    algorithm = "sha256" if mechanism == "SCRAM-SHA-256" else "sha1"
    secret = prepared(password) if algorithm == "sha256" else hashlib.md5(f"{user}:mongo:{password}".encode()).hexdigest().encode()
    salted = hashlib.pbkdf2_hmac(algorithm, secret, salt, rounds)
    stored = hashlib.new(algorithm, hmac.digest(salted, b"Client Key", algorithm)).digest()
    return stored, hmac.digest(salted, b"Server Key", algorithm)


def credentials_for(mechanisms, user, password):
    if not mechanisms or not set(mechanisms) <= {"SCRAM-SHA-1", "SCRAM-SHA-256"}:
        raise Refusal(2, "mechanisms field must not be empty, and of those that there are")
    out = {}
    for mechanism in mechanisms:
        salt, rounds = (os.urandom(28), 15000) if mechanism == "SCRAM-SHA-256" else (os.urandom(16), 10000)
        stored, server = keys_of(mechanism, user, password, salt, rounds)
        text = [base64.b64encode(x).decode() for x in (salt, stored, server)]
        out[mechanism] = {"iterationCount": rounds, "salt": text[0], "storedKey": text[1], "serverKey": text[2]}
    return out


def matches(document, condition):
    def holds(value, wanted):
        if not isinstance(wanted, dict) or not any(k.startswith("$") for k in wanted):
            return value == wanted
        for operator, operand in wanted.items():
            if operator == "$in":
                ok = value in operand
            elif operator == "$exists":
                ok = (value is not None) == bool(operand)
            elif operator in ("$gt", "$gte", "$lt", "$lte"):
                if not isinstance(value, type(operand)):
                    return False
                a, b = (value.encode(), operand.encode()) if isinstance(value, str) else (value, operand)
                ok = {"$gt": a > b, "$gte": a >= b, "$lt": a < b, "$lte": a <= b}[operator]
            elif operator == "$ne":
                ok = value != operand
            else:
                raise Violation(f"operator {operator}")
            if not ok:
                return False
        return True

    return all(holds(document.get(key), wanted) for key, wanted in condition.items())
