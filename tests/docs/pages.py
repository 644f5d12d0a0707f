"""The documentation as tests read it: README.md and the pages of docs/."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"(?ms)^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$")


def pages():
    """All of them, those that script/reference writes included."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def written():
    """Those that people write."""
    return [page for page in pages() if page.parent.name != "reference"]


def name(page):
    return str(page.relative_to(ROOT))


def blocks(text):
    """(language, text) of each fenced block."""
    return [(found[3].strip(), found[4]) for found in FENCE.finditer(text)]


def prose(text):
    """The text without its blocks."""
    return FENCE.sub("", text)


def spans(text):
    """What stands in the type of programs between the words."""
    return [found[2].strip() for found in re.finditer(r"(`+)(.+?)\1", prose(text), re.S)]


def anchors(text):
    """What may stand after a # in a link to a page, as GitHub makes it of headings."""
    out, seen = set(), {}
    for heading in re.findall(r"(?m)^#{1,6} +(.+?) *#*$", prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        out.add(f"{slug}-{count}" if count else slug)
    return out


def links(text):
    """The targets of links of a page, code apart."""
    plain = re.sub(r"(`+)(.+?)\1", "", prose(text), flags=re.S)
    return re.findall(r"\]\(([^()\s]+(?:\([^()]*\))?[^()\s]*)\)", plain)
