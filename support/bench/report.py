"""The table for people and build/bench.json for programs."""

import json
import os


def number(value):
    """Returns a figure with about four digits."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def verdict(measurement):
    """Returns the last column."""
    if measurement.median("ours") is None:
        return "not measured"
    return {True: "yes", False: "NO", None: "unknown"}[measurement.met()]


def ratios(measurement):
    """Returns the ratio of the medians, that of the best runs, and the extremes of the pairs of runs."""
    values = [measurement.ratio(), measurement.best_ratio(), *(measurement.ratio_range() or (None, None))]
    return ["-" if value is None else f"{value:.3f}" for value in values]


def print_table(measurements):
    """Prints the measurements in columns."""
    rows = [["line", "unit", "ours", "linux", "floor", "ratio", "of the best", "least", "greatest", "goal", "met"]]
    for m in measurements:
        rows.append([m.line, m.unit, *(number(m.median(side)) for side in ("ours", "linux", "floor")), *ratios(m),
                     m.goal.text(), verdict(m)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) if 2 <= column <= 8 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def print_splits(splits):
    """Prints where our kernel's boot time goes."""
    for title, stages in splits:
        print(f"\nInside the guest, {title}: " + (
            ", ".join(f"{stage} {value:.2f} ms" for stage, value in stages.items()) or "the kernel printed no times"))


def print_missing(measurements):
    """Prints why figures are missing, each reason once."""
    reasons = {}
    for measurement in measurements:
        for side, reason in measurement.missing.items():
            reasons.setdefault((side, reason), []).append(measurement.line)
    if reasons:
        print("\nNot measured:")
    for (side, reason), lines in reasons.items():
        print(f"  {side}: {', '.join(lines)}: " + reason.replace("\n", "\n    "))


def write_json(path, measurements):
    """Writes the measurements as a list of objects. `met` is null when it cannot be told."""
    entries = []
    for m in measurements:
        entry = {"line": m.line, "unit": m.unit, "ours": m.median("ours"), "linux": m.median("linux"),
                 "ratio": m.ratio(), "goal": m.goal.text(), "met": m.met(), "floor": m.median("floor"),
                 "best_ratio": m.best_ratio(),
                 "samples": {"ours": m.ours, "linux": m.linux, "floor": m.floor}}
        if m.missing:
            entry["missing"] = m.missing
        entries.append(entry)
    temporary = path + ".new"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(entries, file, indent=2)
        file.write("\n")
    os.replace(temporary, path)
