"""BSON as far as MongoDB's commands need it, and strict: what is not well formed is refused, nothing is guessed."""
import struct


class Malformed(Exception):
    pass


class Int64(int):
    pass


class Binary(bytes):
    subtype = 0


class ObjectId(bytes):
    pass


class Date(int):
    pass


class Timestamp(int):
    pass


class Raw(bytes):
    """A document that is encoded already."""


def _element(name, value):
    def head(kind):
        return bytes([kind]) + name.encode() + b"\0"

    if isinstance(value, bool):
        return head(8) + bytes([value])
    if value is None:
        return head(10)
    if isinstance(value, Raw):
        return head(3) + value
    if isinstance(value, Date):
        return head(9) + struct.pack("<q", value)
    if isinstance(value, Timestamp):
        return head(17) + struct.pack("<Q", value)
    if isinstance(value, int):
        wide = isinstance(value, Int64) or not -(1 << 31) <= value < 1 << 31
        return head(18) + struct.pack("<q", value) if wide else head(16) + struct.pack("<i", value)
    if isinstance(value, float):
        return head(1) + struct.pack("<d", value)
    if isinstance(value, str):
        text = value.encode()
        return head(2) + struct.pack("<i", len(text) + 1) + text + b"\0"
    if isinstance(value, ObjectId):
        return head(7) + value
    if isinstance(value, Binary):
        return head(5) + struct.pack("<i", len(value)) + bytes([value.subtype]) + value
    if isinstance(value, dict):
        return head(3) + encode(value)
    if isinstance(value, list):
        return head(4) + encode({str(i): item for i, item in enumerate(value)})
    raise TypeError(f"{name}: {type(value)}")


def encode(document):
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Malformed("it ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def text(self, raw):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Malformed("a text that is not UTF-8") from None

    def name(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Malformed("a name without its end")
        return self.text(self.take(end + 1 - self.at)[:-1])

    def document(self, array=False, depth=0):
        if depth > 100:
            raise Malformed("too deep")
        begin = self.at
        end = begin + self.number("i")
        if end > len(self.data):
            raise Malformed("a document that is longer than its message")
        out = {}
        while True:
            kind = self.take(1)[0]
            if kind == 0:
                break
            name = self.name()
            if name in out:
                raise Malformed(f"{name} comes twice")
            if array and name != str(len(out)):
                raise Malformed(f"an array whose index {len(out)} is called {name}")
            out[name] = self.value(kind, depth)
        if self.at != end:
            raise Malformed("a document whose length is wrong")
        return list(out.values()) if array else out

    def value(self, kind, depth):
        if kind == 1:
            return self.number("d")
        if kind == 2:
            raw = self.take(self.number("i"))
            if not raw.endswith(b"\0"):
                raise Malformed("a text without its end")
            return self.text(raw[:-1])
        if kind in (3, 4):
            return self.document(kind == 4, depth + 1)
        if kind == 5:
            size, subtype = self.number("i"), self.take(1)[0]
            out = Binary(self.take(size))
            out.subtype = subtype
            return out
        if kind == 7:
            return ObjectId(self.take(12))
        if kind == 8:
            byte = self.take(1)[0]
            if byte > 1:
                raise Malformed("a boolean that is neither")
            return byte == 1
        if kind == 9:
            return Date(self.number("q"))
        if kind == 10:
            return None
        if kind == 16:
            return self.number("i")
        if kind == 17:
            return Timestamp(self.number("Q"))
        if kind == 18:
            return Int64(self.number("q"))
        raise Malformed(f"type {kind}, which no command of ours has")


def decode(data):
    reader = _Reader(bytes(data))
    out = reader.document()
    if reader.at != len(data):
        raise Malformed("bytes after its end")
    return out


def decode_some(data):
    """The document at the front, and how long it is."""
    reader = _Reader(bytes(data))
    return reader.document(), reader.at

