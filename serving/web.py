"""The planner's page at /app/: plain files, read once, under addresses that change whenever one of them does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from serving.answers import is_known
from serving.problems import Problem

FOLDER = Path(__file__).parent / "static"
PAGE = "/app/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOREVER, ASK = "public, max-age=31536000, immutable", "no-cache"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
LATER = ("views/", "vendor/uPlot", "chart.js", "plot.js", "early.js")  # not needed before the first view


@dataclass(frozen=True)
class File:
    """What is sent of a file."""

    body: bytes
    kind: str
    etag: str

    def answer(self, request: Request, caching: str) -> Response:
        """The file, or 304 where the browser has it."""
        headers = {"ETag": self.etag, "Cache-Control": caching, "Content-Security-Policy": POLICY}
        if is_known(request, self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.kind)


def mount(company_login: bool) -> Mount:
    """The page, to be mounted at /app; `company_login` offers the company's own login beside the password."""
    files = read()
    version = version_of(files)
    first = _file(index(files, f"{PAGE}static/{version}", company_login), "index.html")

    async def start(request: Request) -> Response:
        return first.answer(request, ASK)

    async def static(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise Problem("not-found", f"there is nothing at {request.url.path}: the page is at {PAGE}")
        # A page that was opened before an update asks under its old version: it gets today's file, and does not keep it.
        return file.answer(request, FOREVER if request.path_params["version"] == version else ASK)

    return Mount("/app", routes=[Route("/", start), Route("/static/{version}/{name:path}", static)])


def read(folder: Path = FOLDER) -> dict[str, File]:
    """Every file below the folder by its name there."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): _file(path.read_bytes(), path.name) for path in paths}


def version_of(files: dict[str, File]) -> str:
    """Another one whenever a file is another."""
    return hashlib.sha256("".join(f"{name} {file.etag}" for name, file in files.items()).encode()).hexdigest()[:12]


def index(files: dict[str, File], at: str, company_login: bool) -> bytes:
    """The page with the addresses of this version, below `at`; what it needs at once is asked for side by side."""
    modules = [name for name in files if name.endswith(".js") and not name.startswith(LATER)] + ["views/signin.js"]
    words = {
        "at": at,
        "preloads": "\n".join(f'<link rel="modulepreload" href="{at}/{name}">' for name in modules),
        "company_login": "yes" if company_login else "no",
    }
    text = files["index.html"].body.decode()
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text.encode()


def _file(body: bytes, name: str) -> File:
    kind = TYPES.get(Path(name).suffix, "text/plain")
    return File(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
