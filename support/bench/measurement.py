"""One line of the benchmarks: the samples of each side, and what follows from them."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Measurement:
    """The samples of one line. Those of the two guests come in pairs, as the runs were interleaved."""

    line: str
    unit: str
    goal: object
    ours: list[float] = field(default_factory=list)
    linux: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    #: Why a side has no figure, by the side's name.
    missing: dict[str, str] = field(default_factory=dict)

    def median(self, side):
        """Returns a side's median, or None when it was not measured."""
        samples = getattr(self, side)
        return statistics.median(samples) if samples else None

    def ratio(self):
        """Returns the ratio of the medians, ours / linux."""
        ours, linux = self.median("ours"), self.median("linux")
        return ours / linux if ours is not None and linux else None

    def ratio_range(self):
        """Returns the least and the greatest ratio within one pair of runs."""
        ratios = [ours / linux for ours, linux in zip(self.ours, self.linux) if linux]
        return (min(ratios), max(ratios)) if len(ratios) > 1 else None

    def best_ratio(self):
        """Returns the ratio of the best runs: other work on the machine only ever makes a run worse."""
        if not self.ours or not self.linux:
            return None
        best = max if self.goal.at_least else min
        return best(self.ours) / best(self.linux) if best(self.linux) else None

    def met(self):
        """Tells whether the goal is met; None when it cannot be told."""
        ours = self.median("ours")
        return None if ours is None else self.goal.met(ours, self.median("linux"), self.median("floor"))
