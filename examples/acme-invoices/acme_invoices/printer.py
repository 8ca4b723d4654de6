"""The office printer, reached over HTTP."""

from httpx import AsyncClient, HTTPError

from vinc_kernel import VincError


class Printer:
    """Prints lines of text. It connects when it prints, so that the service starts while the printer is off."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def send(self, line: str) -> None:
        """Print one line; raises VincError when that fails."""
        try:
            response = await self.client.post("/", content=line)
            response.raise_for_status()
        except HTTPError as error:
            cure = "switch it on, or set VINC_INVOICES__PRINTER_URL"
            raise VincError(f"the printer at {self.client.base_url} failed: {type(error).__name__}: {cure}") from error
