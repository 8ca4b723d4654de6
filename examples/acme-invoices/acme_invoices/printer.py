"""The office printer, an HTTP server."""

from types import TracebackType
from typing import Self

from httpx import AsyncClient, HTTPError

from vinc_kernel import VincError


class Printer:
    """Prints lines of text. It connects with the first line, so that a printer that is off does not stop the start."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.client = AsyncClient(base_url=base_url, timeout=5)

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    async def send(self, line: str) -> None:
        """Print one line; raises VincError when the printer refuses it."""
        try:
            response = await self.client.post("/", content=line)
            response.raise_for_status()
        except HTTPError as error:
            what = f"{type(error).__name__}: switch it on, or set VINC_INVOICES__PRINTER_URL"
            raise VincError(f"the printer at {self.base_url} refuses: {what}") from error
