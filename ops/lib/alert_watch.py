"""A real Prometheus beside a drill's workers: which alerts fire, and which of those that should do not."""

import shutil

import alert_rules
import servers
from prometheus import Prometheus

SCALE = 0.2  # every wait of the rules is so many times as long as committed
PATIENCE_SECONDS = 30


class AlertWatch:
    """Watches these workers ({region: Worker}) from now on, where Prometheus is installed.

    `expected` names alerts with region and peer, as in `RegionsyncLinkDown us-east eu-west`.
    """

    def __init__(self, drill, workers, expected):
        self.expected = set(expected)
        self.prometheus = None
        if shutil.which("prometheus"):
            rule_files = alert_rules.write_scaled(drill.folder / "rules", SCALE)
            self.prometheus = drill.start(Prometheus(drill.folder, workers, rule_files))

    def wait_fired(self, patience=PATIENCE_SECONDS):
        """Gives those that are expected the time to fire, while there is reason to."""
        if self.prometheus is None:
            return
        try:
            servers.wait_until("alerts", lambda: not self.missed(self.prometheus.ever_fired()), patience, pause=0.5)
        except servers.ServerFailure:
            pass  # they are missed, and `report` says so

    def missed(self, fired):
        return sorted(self.expected - fired)

    def report(self):
        """What fired since it watches, and what did not."""
        if self.prometheus is None:
            return {"skipped": "Prometheus is not installed", "expected": sorted(self.expected)}
        fired = self.prometheus.ever_fired()
        return {"fired": sorted(fired), "missed": self.missed(fired), "waitsScale": SCALE}
