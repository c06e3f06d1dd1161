"""Connections over HTTP that are kept, through the proxy that the environment names for a host."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from pdfbatch.errors import NotReady


def http_pool(url: str, timeout: urllib3.Timeout | None = None, most: int = 1) -> urllib3.PoolManager:
    """Returns a pool of up to `most` connections to the host of a URL.

    Raises:
        NotReady: the proxy's address is not valid.
    """
    if not (proxy := proxy_for(url)):
        return urllib3.PoolManager(timeout=timeout, maxsize=most)
    whose = urlsplit(proxy)
    login = f"{whose.username}:{whose.password or ''}" if whose.username else None
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    try:
        return urllib3.ProxyManager(proxy, timeout=timeout, maxsize=most, proxy_headers=headers)
    except (HTTPError, ValueError):
        raise NotReady("The address of the proxy is not valid.", "Correct HTTPS_PROXY, or set NO_PROXY.") from None


def proxy_for(url: str) -> str:
    """Returns the address of the proxy for a URL; "" if there is none."""
    parts = urlsplit(url)
    return "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
