"""Records that are sent to a server."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping

import numpy as np

from kerac.callbacks.base import Callback, Logs

SECONDS = 10  # that a server may take


class RemoteMonitor(Callback):
    """Sends the records of each epoch to `root + path`: a form with one `field`, or JSON itself."""

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        records = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch} | records)
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(
            self.root + self.path,
            data=body.encode(),
            headers={"Content-Type": kind} | dict(self.headers or {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                answer.read()
        except urllib.error.HTTPError:
            pass  # the server was there, and what it makes of the records is its own affair
        except OSError as error:
            warnings.warn(
                f"RemoteMonitor: {self.root} could not be reached: {error}", stacklevel=2
            )
