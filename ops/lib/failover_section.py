"""The section `failover` of region files: a primary and its streaming standby, both ours, and hooks for both ways."""

FENCING = "fencing the old primary"  # what the fence hook says


def add_failover(file, capturing, primary, standby, maximum_loss):
    """Lets every other region take over from `capturing` by promoting the standby, and that one fail back.

    Both servers are `servers.Postgres`; the primary runs. `maximum_loss` counts voice events.
    """
    if file.region == capturing:
        # For the way back: its own server, a standby by then, is promoted when the other one has stopped.
        file.add_section("failover", fence=standby.stopping(), promote=primary.promotion())
        return
    # The old primary ends if it is there still, and nobody else who has its process id by then.
    pid, data = primary.pid, primary.data
    fence = f"echo {FENCING}; if grep -qaF {data} /proc/{pid}/cmdline 2>/dev/null; then kill -KILL {pid}; fi"
    file.add_section("failover", standby={"host": "127.0.0.1", "port": standby.port}, fence=["sh", "-c", fence],
                     promote=standby.promotion(), maximumLoss=maximum_loss)
