"""The traffic of demos and drills: `regionsync generate` as programs of ours."""

import json

import servers


class Generator(servers.Program):
    """`regionsync generate`: tenants, changes, calls, and the ledger of all that.

    `arguments` has tenants, persons, events_per_second, changes_per_second and seed; `options` are further words.
    """

    patience = 120

    def __init__(self, folder, program, region_files, arguments, name="generate", options=()):
        super().__init__(folder, name)
        self.program = program
        self.region_files = list(region_files)
        self.arguments = arguments
        self.options = list(options)
        self.ledger = folder / ("ledger" if name == "generate" else f"ledger-{name}")
        self.report = folder / ("report.json" if name == "generate" else f"report-{name}.json")

    def command(self):
        words = [self.program, "generate"]
        for path in self.region_files:
            words += ["--region", path]
        words += ["--postgres-user", "postgres", "--ledger", self.ledger, "--report", self.report]
        words += ["--tenants", self.arguments.tenants, "--persons", self.arguments.persons]
        words += ["--events-per-second", self.arguments.events_per_second]
        words += ["--changes-per-second", self.arguments.changes_per_second, "--seed", self.arguments.seed]
        return words + self.options

    def is_ready(self):
        return self.report.exists()

    def numbers(self):
        """The newest report; None before there is one."""
        try:
            return json.loads(self.report.read_text())
        except (OSError, ValueError):
            return None


class FrontEnd(servers.Program):
    """`regionsync generate --front-end`: a stand-in that answers call-control requests of all tenants in these regions."""

    def __init__(self, folder, program, region_files, name="front-end"):
        super().__init__(folder, name)
        self.program = program
        self.region_files = list(region_files)

    def command(self):
        words = [self.program, "generate", "--front-end"]
        for path in self.region_files:
            words += ["--region", path]
        return words
