"""A Prometheus server of one's own that scrapes workers and evaluates alert rules."""

import json
import urllib.parse

import servers


class Prometheus(servers.Program):
    """Prometheus on a free loopback port, its data in the folder. `workers` is {region: Worker}."""

    def __init__(self, folder, workers, rule_files, interval="1s"):
        super().__init__(folder, "prometheus")
        [self.port] = servers.free_ports(1)
        self.data = folder / "prometheus-data"
        self.configuration = folder / "prometheus.json"  # JSON is YAML
        self.configuration.write_text(json.dumps({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [{
                "job_name": "regionsync",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{worker.admin_port}"], "labels": {"region": region}}
                    for region, worker in workers.items()
                ],
            }],
        }, indent=1))

    def command(self):
        return ["prometheus", "--config.file", self.configuration, "--storage.tsdb.path", self.data,
                "--web.listen-address", f"127.0.0.1:{self.port}"]

    def is_ready(self):
        return "is Ready" in (servers.http_get(self.port, "/-/ready") or "")

    def firing(self):
        """The alerts that fire now, by name, region and peer: `RegionsyncLinkDown us-east eu-west`."""
        return self._alerts("firing")

    def pending(self):
        """Those that will fire if what they are for lasts."""
        return self._alerts("pending")

    def _alerts(self, state):
        return {_name(alert["labels"]) for alert in self._ask("alerts")["alerts"] if alert["state"] == state}

    def ever_fired(self):
        """Those that fired at any evaluation of the last hour."""
        series = self.query('count_over_time(ALERTS{alertstate="firing"}[1h])')
        return {_name(one["metric"]) for one in series}

    def query(self, expression):
        """The series that an expression gives now, as Prometheus' API has them."""
        return self._ask("query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def broken_rules(self):
        """Rules that could not be evaluated last time, with the error."""
        groups = self._ask("rules")["groups"]
        return {rule["name"]: rule.get("lastError", "") for group in groups for rule in group["rules"]
                if rule["health"] == "err"}

    def _ask(self, path):
        text = servers.http_get(self.port, f"/api/v1/{path}")
        answer = json.loads(text) if text else {"status": "none"}
        if answer["status"] != "success":
            raise servers.ServerFailure(f"Prometheus answered {path} with {text}")
        return answer["data"]


def _name(labels):
    return " ".join(labels[key] for key in ("alertname", "region", "peer") if key in labels)
