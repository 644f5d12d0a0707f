"""Packs the stand-in as a wheel that pip installs as "tutor[full]", with its commands tutor and docker."""
import base64
import hashlib
import pathlib
import zipfile

VERSION = "21.0.8"
NAME = f"tutor-{VERSION}-py3-none-any.whl"


def build(folder):
    info = f"tutor-{VERSION}.dist-info"
    files = {
        "tutor.py": (pathlib.Path(__file__).parent / "standin.py").read_text(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tutor\nVersion: {VERSION}\nProvides-Extra: full\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: ocim\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntutor = tutor:main\ndocker = tutor:docker\n"}
    record = ""
    with zipfile.ZipFile(pathlib.Path(folder) / NAME, "w") as wheel:
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text.encode())}\n"
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return pathlib.Path(folder) / NAME
