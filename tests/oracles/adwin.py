"""ADWIN2 as in the paper: buckets are lists of items or panes. Imports nothing of ours."""

from __future__ import annotations

import math

M = 5
LEAST = 5


def eps(m: float, variance: float, log_term: float, scale: float = 1.0) -> float:
    return math.sqrt(2 * m * variance * log_term) + 2 / 3 * m * log_term * scale


class NaiveAdwin:
    """Item form. `rows[r]` is a list of buckets, oldest first, each the list of its 2**r items."""

    def __init__(self, delta: float = 0.002, clock: int = 32) -> None:
        self.delta, self.clock, self.ticks = delta, clock, 0
        self.rows: list[list[list[float]]] = [[]]

    @property
    def buckets(self) -> list[list[float]]:
        return [bucket for row in reversed(self.rows) for bucket in row]

    @property
    def items(self) -> list[float]:
        return [x for bucket in self.buckets for x in bucket]

    def update(self, x: float) -> bool:
        if not math.isfinite(x):
            return False
        self.ticks += 1
        self.rows[0].append([x])
        r = 0
        while len(self.rows[r]) > M:
            if r + 1 == len(self.rows):
                self.rows.append([])
            first, second = self.rows[r][:2]
            self.rows[r] = self.rows[r][2:]
            self.rows[r + 1].append(first + second)
            r += 1
        drift = False
        while self.ticks % self.clock == 0 and len(self.items) > 10 and self.cut():
            drift = True
            while not self.rows[-1]:
                self.rows.pop()
            self.rows[-1].pop(0)
        return drift

    def cut(self) -> bool:
        items = self.items
        n = len(items)
        mean = math.fsum(items) / n
        variance = math.fsum((x - mean) ** 2 for x in items) / n
        log_term = math.log(2 * math.log(n) / self.delta)
        n0 = 0
        for bucket in self.buckets:
            n0 += len(bucket)
            n1 = n - n0
            if n0 < LEAST or n1 < LEAST:
                continue
            m = 1 / (n0 - LEAST + 1) + 1 / (n1 - LEAST + 1)
            apart = abs(math.fsum(items[:n0]) / n0 - math.fsum(items[n0:]) / n1)
            if apart > eps(m, variance, log_term):
                return True
        return False


class BucketAdwin:
    """Item form one by one on sums only, in the product's order of additions: equal in every bit.

    `rows[r]` is a list of buckets, oldest first, each (sum, squared deviations) of 2**r items.
    """

    def __init__(self, delta: float, clock: int, *, full: bool) -> None:
        self.delta, self.clock, self.full = delta, clock, full
        self.start()

    def start(self) -> None:
        self.rows: list[list[tuple[float, float]]] = [[]]
        self.n = self.ticks = 0
        self.total = self.spread = 0.0

    def update(self, x: float) -> bool:
        if not math.isfinite(x):
            return False
        self.ticks += 1
        if self.n:
            apart = x - self.total / self.n
            self.spread += self.n * apart * apart / (self.n + 1)
        self.n += 1
        self.total += x
        self.rows[0].append((x, 0.0))
        r = 0
        while len(self.rows[r]) > M:
            if r + 1 == len(self.rows):
                self.rows.append([])
            (a, aa), (b, bb) = self.rows[r][:2]
            apart = (a - b) / 2**r
            self.rows[r] = self.rows[r][2:]
            self.rows[r + 1].append((a + b, aa + bb + 0.5 * 2**r * apart * apart))
            r += 1
        drift = False
        while self.ticks % self.clock == 0 and self.n > 10 and self.cut():
            drift = True
            if self.full:
                self.start()
                break
            self.drop()
        return drift

    def drop(self) -> None:
        while not self.rows[-1]:
            self.rows.pop()
        size = 2.0 ** (len(self.rows) - 1)
        a, aa = self.rows[-1].pop(0)
        self.n -= int(size)
        self.total -= a
        apart = a / size - self.total / self.n
        self.spread -= aa + size * self.n * apart * apart / (size + self.n)

    def cut(self) -> bool:
        variance = self.spread / self.n
        if variance < 0:
            return False  # rounding left nothing to measure by
        log_term = math.log(2 * math.log(self.n) / self.delta)
        n0, sum0 = 0, 0.0
        for r in range(len(self.rows) - 1, -1, -1):
            for a, _ in self.rows[r]:
                n0 += 2**r
                sum0 += a
                n1 = self.n - n0
                if n0 < LEAST or n1 < LEAST:
                    continue
                m = 1 / (n0 - LEAST + 1) + 1 / (n1 - LEAST + 1)
                apart = abs(sum0 / n0 - (self.total - sum0) / n1)
                if apart > eps(m, variance, log_term):
                    return True
        return False


class NaivePaneAdwin:
    """Pane form: a bucket is a list of panes (n, s1, s2); integers throughout."""

    def __init__(self, delta: float, phi: float = 1.0, most_items: int = 2**31 - 1) -> None:
        self.delta, self.phi, self.most_items = delta, phi, most_items
        self.rows: list[list[list[tuple[int, int, int]]]] = [[]]

    @property
    def buckets(self) -> list[list[tuple[int, int, int]]]:
        return [bucket for row in reversed(self.rows) for bucket in row]

    @staticmethod
    def total(buckets: list[list[tuple[int, int, int]]]) -> tuple[int, int, int]:
        panes = [pane for bucket in buckets for pane in bucket]
        return sum(p[0] for p in panes), sum(p[1] for p in panes), sum(p[2] for p in panes)

    def drop(self) -> None:
        while not self.rows[-1]:
            self.rows.pop()
        self.rows[-1].pop(0)

    def update(self, n: int, s1: int, s2: int) -> bool:
        if n <= 0:
            return False
        while self.buckets and self.total(self.buckets)[0] + n > self.most_items:
            self.drop()
        if not self.rows:
            self.rows = [[]]
        self.rows[0].append([(n, s1, s2)])
        r = 0
        while len(self.rows[r]) > M:
            if r + 1 == len(self.rows):
                self.rows.append([])
            first, second = self.rows[r][:2]
            self.rows[r] = self.rows[r][2:]
            self.rows[r + 1].append(first + second)
            r += 1
        drift = False
        while self.cut():
            drift = True
            self.drop()
        return drift

    def cut(self) -> bool:
        buckets = self.buckets
        n, s1, s2 = self.total(buckets)
        items = n / self.phi
        if items < 2 * LEAST:
            return False
        variance = max(0.0, s2 / n - (s1 / n) ** 2)
        log_term = math.log(2 * math.log(items) / self.delta)
        for k in range(1, len(buckets)):
            n0, sum0, _ = self.total(buckets[:k])
            items0 = n0 / self.phi
            items1 = items - items0
            if items0 < LEAST or items1 < LEAST:
                continue
            m = 1 / (items0 - LEAST + 1) + 1 / (items1 - LEAST + 1)
            apart = abs(sum0 / n0 - (s1 - sum0) / (n - n0))
            if apart > eps(m, variance, log_term, 65535):
                return True
        return False
