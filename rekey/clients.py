"""Makes every SDK client and credential there is, once per process and endpoint."""


class Clients:
    """The process's shared clients."""
