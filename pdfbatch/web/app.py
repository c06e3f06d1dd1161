"""The routes of the pages. Each reads from the site and fills a template."""

from __future__ import annotations

import shlex
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pdfbatch.documents.judgement import AS_SHOWN
from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.records import Outcome, figures_prefix
from pdfbatch.records.reason_texts import REASON_TEXTS
from pdfbatch.visible import visible
from pdfbatch.web.asked import SORTS, Asked, page_number
from pdfbatch.web.document import Document, figure_name
from pdfbatch.web.live import news
from pdfbatch.web.pictures import Wanted
from pdfbatch.web.run_page import address, environment
from pdfbatch.web.site import Site

_FRAGMENT = "x-fragment"
"""A request with this header gets only the part of the page that changes."""
_PRIVATE = {"cache-control": "private, max-age=600"}


def make_app(site: Site) -> Starlette:
    """Returns the pages of a site. Put them behind a `Guard`."""
    pages = _Pages(site)
    static = StaticFiles(directory=str(files("pdfbatch.web") / "static"))
    routes = [
        Route("/", pages.run),
        Route("/documents", pages.documents),
        Route("/document", pages.document),
        Route("/picture", pages.picture),
        Route("/figure", pages.figure),
        Route("/next-bad", pages.next_bad),
        Route("/mark", pages.mark, methods=["POST"]),
        Route("/live", pages.live),
        Mount("/static", static),
    ]
    return Starlette(routes=routes, exception_handlers={PdfbatchError: pages.trouble})


class _Pages:
    """The endpoints; those that are plain functions run in threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = environment()
        self._templates.globals["output"] = site.store.url

    def run(self, request: Request) -> Response:
        asked = request.query_params.get("run", "")
        status, fragments = self._site.run(asked)
        return self._page(
            "run.html",
            request,
            status=status,
            runs=self._site.runs(),
            fragments=fragments,
        )

    def documents(self, request: Request) -> Response:
        asked, scope = Asked.read(request.query_params), self._scope(request)
        index = self._site.index(scope)
        listing = index.listing(asked)
        is_fragment = _FRAGMENT in request.headers
        return self._page(
            "table.html" if is_fragment else "documents.html",
            request,
            asked=asked,
            scope=scope,
            index=index,
            listing=listing,
            columns=_COLUMNS,
            last=max(1, -(-listing.total // asked.size)),
            choices={} if is_fragment else {name: index.choices(name) for name in ("outcome", "reason", "engine")},
            runs=[] if is_fragment else self._site.runs(),
        )

    def document(self, request: Request) -> Response:
        scope, (run, outcome) = self._named(request)
        found = self._site.document(outcome)
        number = page_number(request.query_params.get("page", ""))
        number = number if number in found.numbers else found.numbers[0]
        shown = found.page(number, outcome, lambda link: _figure_address(link, outcome.key, scope))
        return self._page(
            "document.html",
            request,
            scope=scope,
            run=run,
            outcome=outcome,
            page=shown,
            place=found.numbers.index(number) + 1,
            count=len(found.numbers),
            marked=number in self._site.marks.pages_of(outcome.key),
            reason=REASON_TEXTS[shown.reason].meaning if shown.reason else "",
            picture=address("/picture", run=scope, key=outcome.key, page=number),
            **self._ways(scope, outcome, found, number),
        )

    def _ways(self, scope: str, outcome: Outcome, found: Document, number: int) -> dict[str, object]:
        """Returns the addresses of the pages around a page; "" at either end."""
        at, index = found.numbers.index(number), self._site.index(scope)

        def page(step: int) -> str:
            if 0 <= at + step < len(found.numbers):
                return address("/document", run=scope, key=outcome.key, page=found.numbers[at + step])
            beside = index.neighbour(outcome.key, step)
            return address("/document", run=scope, key=beside) if beside else ""

        bad = address("/next-bad", run=scope, key=outcome.key, page=number)
        return {"previous": page(-1), "following": page(1), "next_bad": bad}

    def next_bad(self, request: Request) -> Response:
        scope, (_, outcome) = self._named(request)
        number = page_number(request.query_params.get("page", ""))
        found = self._site.index(scope).next_bad(outcome.key, number) or (outcome.key, number)
        return RedirectResponse(address("/document", run=scope, key=found[0], page=found[1]), 303)

    def picture(self, request: Request) -> Response:
        _, (run, outcome) = self._named(request)
        number = page_number(request.query_params.get("page", ""))
        found = self._site.document(outcome)
        page = found.pages.get(number)
        rotation = page.rotation if page is not None and page.width else AS_SHOWN
        source = self._site.manifest(run).input
        drawn = self._site.pictures.picture(Wanted(source, outcome.key, outcome.etag, number, rotation, outcome.digest))
        if not drawn.data:
            return JSONResponse({"detail": visible(drawn.detail)}, 404)
        return Response(drawn.data, media_type="image/webp", headers=_PRIVATE)

    def figure(self, request: Request) -> Response:
        _, (_, outcome) = self._named(request)
        name = request.query_params.get("name", "")
        if not self._site.document(outcome).has_figure(name):
            raise NotFound("There is no such figure.", "Open the page again.")
        data = self._site.store.get(figures_prefix(outcome.key) + name)
        return Response(data, media_type="image/png", headers=_PRIVATE)

    async def mark(self, request: Request) -> Response:
        """Marks a page, or takes its mark away: JSON `{"key": …, "page": …, "marked": …}`."""
        try:
            wish = await request.json()
            key, page, marked = str(wish["key"]), int(wish["page"]), bool(wish["marked"])
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"detail": "This is not a mark."}, 400)
        scope = request.query_params.get("run", "")

        def save() -> int:
            self._site.outcome(self._site.scope(scope), key)
            self._site.marks.set(key, max(1, page), marked)
            return self._site.marks.count()

        return JSONResponse({"count": await run_in_threadpool(save), "marked": marked})

    async def live(self, request: Request) -> Response:
        run = request.query_params.get("run", "")
        await run_in_threadpool(self._site.status, run)  # an unknown run is an error, not a stream
        headers = {"cache-control": "no-store"}
        return StreamingResponse(news(self._site, run), media_type="text/event-stream", headers=headers)

    def trouble(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, PdfbatchError)
        text = self._templates.get_template("trouble.html").render(error=error)
        return HTMLResponse(text, 404 if isinstance(error, NotFound) else 500)

    def _scope(self, request: Request) -> str:
        return self._site.scope(request.query_params.get("run", ""))

    def _named(self, request: Request) -> tuple[str, tuple[str, Outcome]]:
        """Returns the scope, and the run and outcome of the document that an address names."""
        scope = self._scope(request)
        return scope, self._site.outcome(scope, request.query_params.get("key", ""))

    def _page(self, template: str, request: Request, **values: Any) -> Response:
        marks = self._site.marks
        words = ["pdfbatch", "retry-failures", self._site.store.url, *self._local(), "--pages", str(marks.path)]
        retry = shlex.join(words)
        values |= {"marks": marks, "retry": retry, "here": request.url.path}
        return HTMLResponse(self._templates.get_template(template).render(**values))

    def _local(self) -> list[str]:
        return [] if self._site.store.url.startswith("s3://") else ["--local"]


_COLUMNS = {
    "key": "Document",
    "outcome": "Outcome",
    "reason": "Reason",
    "engine": "Engine",
    "score": "Lowest score",
    "pages": "Pages",
    "bad": "To check",
    "seconds": "Seconds",
    "at": "Finished",
}
assert tuple(_COLUMNS) == SORTS


def _figure_address(link: str, key: str, scope: str) -> str | None:
    """Returns the address of a figure that the Markdown links to; None for any other picture."""
    name = figure_name(link)
    return address("/figure", run=scope, key=key, name=name) if name else None
