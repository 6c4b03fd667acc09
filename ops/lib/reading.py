"""Readers that never stop: whether objects that are there can be read from a region's cache all the while."""

import threading
import time

import servers


class Reading:
    """Reads objects from caches without pause, a thread a region; as a context manager for the length of its block.

    `keys` are those of objects that are there and do not change. An empty answer is a miss; `stale` counts the answers
    while a cache was marked stale, `longest` is the longest time between two answers, seconds.
    """

    def __init__(self, redis, keys):
        self.keys = list(keys)
        self.found = {region: {"reads": 0, "misses": 0, "changed": 0, "errors": 0, "stale": 0, "longestGapSeconds": 0.0}
                      for region in redis}
        self._redis = redis
        self._over = threading.Event()
        self._threads = []

    def __enter__(self):
        for region, redis in self._redis.items():
            self._threads.append(threading.Thread(target=self._read, args=(redis.another(), self.found[region])))
            self._threads[-1].start()
        return self

    def __exit__(self, kind, error, trace):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, redis, found):
        first = {}
        answered = time.monotonic()
        while not self._over.is_set():
            for key in self.keys:
                if self._over.is_set():
                    return
                try:
                    fields = redis.ask("HGETALL", key)
                    found["stale"] += redis.ask("HGET", "rs:{_}:projection", "stale") is not None
                except (OSError, servers.RedisRefusal):
                    found["errors"] += 1
                    time.sleep(0.01)
                    continue
                now = time.monotonic()
                found["longestGapSeconds"] = max(found["longestGapSeconds"], round(now - answered, 3))
                answered = now
                found["reads"] += 1
                found["misses"] += not fields
                # What versions it is written with may change, its columns not.
                columns = {name: value for name, value in zip(fields[::2], fields[1::2]) if not name.startswith("_")}
                found["changed"] += bool(fields) and columns != first.setdefault(key, columns)
                time.sleep(0.001)
