"""Reference values for tests/statistics.rs, from numpy, scipy and diptest (PyPI). Written once:

    python -m venv target/venv && target/venv/bin/pip install numpy scipy diptest
    target/venv/bin/python tests/reference/statistics.py > tests/reference/statistics.json
"""

import json

import diptest
import numpy as np
import scipy.optimize
import scipy.signal
import scipy.stats

rng = np.random.default_rng(20260105)


def durations(kind, n):
    if kind == "lognormal":
        values = rng.lognormal(11, 0.4, n)
    elif kind == "two modes":
        values = np.where(rng.random(n) < 0.6, rng.normal(30_000, 900, n), rng.normal(90_000, 3000, n))
    elif kind == "ties":
        values = 20 * rng.integers(800, 830, n)
    else:
        values = rng.exponential(50_000, n)
    return np.maximum(np.rint(values), 1).astype(np.int64)


def sample(kind, n):
    values = durations(kind, n)
    quantiles = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
    ranks = scipy.stats.binom.ppf(0.025, n, 0.5)
    # the largest j with P(B <= j - 1) <= 0.025
    j = int(ranks) + (1 if scipy.stats.binom.cdf(ranks, n, 0.5) <= 0.025 else 0)
    ordered = np.sort(values)
    return {
        "kind": kind,
        "values": values.tolist(),
        "quantiles": [[q, float(np.quantile(values, q))] for q in quantiles],
        "mad": float(scipy.stats.median_abs_deviation(values)),
        "median_ci95": [int(ordered[j - 1]), int(ordered[n - j])] if j >= 1 else None,
        "dip_of_log": float(diptest.dipstat(np.log(ordered.astype(float)))),
        "multimodal_1_percent": bool(diptest.diptest(np.log(ordered.astype(float)))[1] < 0.01),
    }


def trend(slope, n):
    values = 1000 + slope * np.arange(n) + rng.normal(0, 20, n)
    values = np.rint(values)
    tau = scipy.stats.theilslopes(np.log(values))
    # Mann-Kendall with correction for ties and continuity
    s = sum(np.sign(values[j] - values[i]) for i in range(n) for j in range(i + 1, n))
    ties = sum(c * (c - 1) * (2 * c + 5) for c in np.unique(values, return_counts=True)[1])
    z = max(abs(s) - 1, 0) / np.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)
    return {
        "values": values.tolist(),
        "change": float(np.expm1(tau.slope * (n - 1))),
        "p": float(2 * scipy.stats.norm.sf(z)),
    }


def welch(n_old, n_new, factor):
    old, new = rng.lognormal(10, 0.05, n_old), factor * rng.lognormal(10, 0.08, n_new)
    interval = scipy.stats.ttest_ind(np.log(new), np.log(old), equal_var=False).confidence_interval(0.99)
    # the nearer end of the margin is the null hypothesis: new medians moved there, against the old ones
    nearer = np.sign(np.mean(np.log(new)) - np.mean(np.log(old))) * np.log(1.01)
    side = "greater" if nearer > 0 else "less"
    p = scipy.stats.ttest_ind(np.log(new) - nearer, np.log(old), equal_var=False, alternative=side).pvalue
    return {"p": float(min(2 * p, 1)), "old": old.tolist(), "new": new.tolist(), "interval": [float(np.exp(interval.low)), float(np.exp(interval.high))]}


def usl(lam, sigma, kappa, noise):
    x = np.array([1, 2, 4, 8, 16, 32, 64], dtype=float)
    y = lam * x / (1 + sigma * (x - 1) + kappa * x * (x - 1)) * np.exp(rng.normal(0, noise, len(x)))
    # the same criterion by another way: non-negative least squares of 1 = X/N (a + b (N - 1) + c N (N - 1))
    columns = np.stack([y / x, y / x * (x - 1), y * (x - 1)], axis=1)
    (a, b, c), _ = scipy.optimize.nnls(columns, np.ones(len(x)))
    return {"points": [[float(p), float(q)] for p, q in zip(x, y)], "lambda": 1 / a, "sigma": b / a, "kappa": c / a}


def blocks(n, factor):
    """The circular block bootstrap in other words: 4 neighbours at a time, percentiles of the ratio, and their scatter."""
    noise = lambda: np.exp(0.03 * scipy.signal.lfilter([1], [1, -0.5], rng.normal(0, 1, n)))
    old, new = 1e5 * noise(), 1e5 * factor * noise()

    def medians(values, draws):
        starts = rng.integers(0, n, (draws, -(-n // 4)))
        at = (starts[:, :, None] + np.arange(4)).reshape(draws, -1)[:, :n] % n
        return np.median(values[at], axis=1)

    # ends of as few draws as ours has scatter: by how much is part of the reference
    ends = np.array([np.quantile(medians(new, 1000) / medians(old, 1000), [0.005, 0.995]) for _ in range(200)])
    return {
        "old": old.tolist(),
        "new": new.tolist(),
        "interval": np.median(ends, axis=0).tolist(),
        "scatter": np.std(ends, axis=0).tolist(),
    }


def stragglers(ratios):
    median = np.median(ratios)
    scale = scipy.stats.median_abs_deviation(ratios)
    return {"ratios": ratios.tolist(), "limit": float(max(median + 3.5 * scale / 0.6745, 1.1 * median))}


def binned(values):
    high = np.quantile(values, 0.999, method="lower")
    counts, _ = np.histogram(np.log(values[values <= high]), np.linspace(np.log(values.min()), np.log(high), 49))
    return {"values": values.tolist(), "counts": counts.tolist(), "above": int((values > high).sum())}


def ranks_of_median(n):
    j = int(scipy.stats.binom.ppf(0.025, n, 0.5))
    j += 1 if scipy.stats.binom.cdf(j, n, 0.5) <= 0.025 else 0
    return [n, j, n + 1 - j]


# numbers of their own: what stands above keeps its values
later = np.random.default_rng(20260212)


def following(n, factor):
    """Student's prediction interval of one more value, and the test that it lies within 1 % of the others."""
    old = later.lognormal(10, 0.03, n)
    new = factor * later.lognormal(10, 0.03)
    error = np.std(np.log(old), ddof=1) * np.sqrt(1 + 1 / n)
    difference = np.log(new) - np.mean(np.log(old))
    low, high = scipy.stats.t.interval(0.99, n - 1, loc=difference, scale=error)
    p = 2 * scipy.stats.t.sf((abs(difference) - np.log(1.01)) / error, n - 1)
    return {"p": float(min(p, 1)), "old": old.tolist(), "new": float(new), "interval": [float(np.exp(low)), float(np.exp(high))]}


def detectable(n_old, n_new, level):
    """The ratio that Welch's test at this level finds in four of five cases, were the error what the sample says: by the non-central t."""
    old, new = later.lognormal(10, 0.05, n_old), later.lognormal(10, 0.03, n_new)
    a, b = np.var(np.log(old), ddof=1) / n_old, np.var(np.log(new), ddof=1) / n_new
    freedom = (a + b) ** 2 / (a**2 / (n_old - 1) + b**2 / (n_new - 1))
    limit = scipy.stats.t.ppf(1 - level / 2, freedom)
    reach = scipy.optimize.brentq(lambda shift: scipy.stats.nct.sf(limit, freedom, shift) - 0.8, 0.1, 20 * limit)
    return {"level": level, "old": old.tolist(), "new": new.tolist(), "ratio": float(1.01 * np.exp(reach * np.sqrt(a + b)))}


def change_point(n, at, by):
    """E-divisive by its definition: the split of the largest energy, coordinates by their median deviation, and its p by permutations."""
    points = later.normal(0, 0.02, (n, 4)) + np.where(np.arange(n) >= at, by, 0)[:, None]
    scale = np.maximum(scipy.stats.median_abs_deviation(points, axis=0), 1e-3)
    distance = np.linalg.norm((points[:, None] - points[None]) / scale, axis=2)

    def split(order):
        d = distance[np.ix_(order, order)]
        pairs = lambda block: block.sum() / (len(block) * (len(block) - 1))
        energy = lambda m: m * (n - m) / n * (2 * d[:m, m:].mean() - pairs(d[:m, :m]) - pairs(d[m:, m:]))
        return max((energy(m), m) for m in range(3, n - 2))

    largest, where = split(np.arange(n))
    exceeding = sum(split(later.permutation(n))[0] >= largest * (1 - 1e-9) for _ in range(4000))
    return {"points": points.tolist(), "at": int(where), "p": (exceeding + 1) / 4001}


def sizing(demands, stations, in_step, noise):
    """A law of stations fitted to points: demands, their errors from the Jacobian, and the mean square of leave-one-out errors by leverage."""
    loads = [[1, ranks / servers, ranks / servers, per_node, ranks] for servers in (1, 2, 4) for ranks, per_node in ((4, 4), (16, 8), (64, 16), (256, 16))]

    def law(theta, load):
        d = np.exp(theta)
        n = np.array([load[station] for station in stations])
        if in_step:
            return np.log((d * n).sum())
        pole = (d * (n - 1)).max()
        low, high = max(pole * (1 + 1e-15), 1e-300), (d * n).sum() * (1 + 1e-12)
        return np.log(scipy.optimize.brentq(lambda t: (d / (t - d * (n - 1))).sum() - 1, max(low, d.sum() * 0.999999), high, xtol=1e-12 * high, rtol=1e-14))

    true = np.log(demands)
    logs = np.array([law(true, load) for load in loads]) + later.normal(0, noise, len(loads))
    found = scipy.optimize.least_squares(lambda theta: np.array([law(theta, load) for load in loads]) - logs, true, x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14, jac="3-point")
    scatter = (found.fun**2).sum() / (len(loads) - len(demands))
    inverse = np.linalg.inv(found.jac.T @ found.jac)
    leverage = np.einsum("ij,jk,ik->i", found.jac, inverse, found.jac)
    far = [1, 512, 512, 16, 2048]
    return {
        "stations": stations,
        "in_step": in_step,
        "points": [[load, log] for load, log in zip(loads, logs.tolist())],
        "log_demands": found.x.tolist(),
        "deviations": np.sqrt(scatter * np.diag(inverse)).tolist(),
        "left_out": float(((found.fun / (1 - leverage)) ** 2).mean()),
        "far": far,
        "log_at_far": float(law(found.x, far)),
    }


print(
    json.dumps(
        {
            "samples": [
                sample(kind, n)
                for kind in ("lognormal", "two modes", "ties", "exponential")
                for n in (6, 7, 30, 101, 200, 700)
            ],
            "trends": [trend(slope, n) for slope in (0, 0.5, 3, -8) for n in (8, 20, 32)],
            "welch": [welch(2, 2, 1.0), welch(3, 5, 1.1), welch(10, 4, 0.8)],
            "usl": [usl(1.5, 0.03, 0.0005, 0.02), usl(0.4, 0.2, 0.01, 0.03), usl(2, 0.05, 0, 0.02), usl(2, 0, 0, 0.01)],
            "blocks": [blocks(8, 1.0), blocks(32, 1.1), blocks(32, 0.7)],
            "stragglers": [stragglers(rng.lognormal(0, spread, n)) for spread in (0.005, 0.1, 0.4) for n in (5, 12, 64)],
            "densities": [binned(durations(kind, 2500)) for kind in ("lognormal", "two modes", "exponential")],
            "following": [following(3, 1.0), following(5, 1.1), following(12, 0.8)],
            "detectable": [detectable(3, 3, 0.01), detectable(5, 4, 0.01), detectable(10, 10, 0.0005)],
            "change_points": [change_point(8, 4, 0.01), change_point(14, 9, 0.03), change_point(20, 0, 0), change_point(30, 11, 0.02)],
            "sizing": [sizing([5e4, 4e3], [0, 1], False, 0.02), sizing([9e4, 2e3, 1500], [0, 1, 4], False, 0.01), sizing([5e4, 4e3], [0, 1], True, 0.02)],
            "ranks_of_median": [ranks_of_median(n) for n in (6, 7, 70, 999, 1000, 1001, 4096, 100_000, 3_300_000)],
        }
    )
)
