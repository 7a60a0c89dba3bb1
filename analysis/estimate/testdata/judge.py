#!/usr/bin/env python3
"""Recomputes what cases.json expects, with SciPy, statsmodels and diptest, and compares; -write replaces it.

    python3 judge.py [-write] cases.json

Whatever is computed here is computed by a library, or from the definition by a general optimiser: nothing is shared with the Go
code that the cases test.
"""
import json
import math
import sys
import warnings

import diptest
import numpy as np
from scipy import optimize, special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint


def grubbs(values):
    n = len(values)
    g = (max(values) - np.mean(values)) / np.std(values, ddof=1)
    t = math.sqrt(n * (n - 2) * g * g / ((n - 1) ** 2 - n * g * g))
    return {"statistic": g, "p": min(1, n * stats.t.sf(t, n - 2))}


def student(nu, t=None, upper=None):
    return {"survival": stats.t.sf(t, nu)} if upper is None else {"quantile": stats.t.isf(upper, nu)}


def smirnov(x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it would go over to the limit
        r = stats.ks_2samp(x, y, method="exact")
    return {"statistic": r.statistic, "p": r.pvalue}


def kolmogorov(distance):
    return {"p": special.kolmogorov(distance)}


def spearman(x, y):
    r = stats.spearmanr(x, y)
    return {"statistic": r.statistic, "p": r.pvalue}


def fisher(hits1, n1, hits2, n2):
    r = stats.fisher_exact([[hits1, n1 - hits1], [hits2, n2 - hits2]])
    return {"statistic": r.statistic, "p": r.pvalue} if math.isfinite(r.statistic) else {"p": r.pvalue}


def pairs(both, first, second, neither):
    r = mcnemar([[both, first], [second, neither]], exact=True)
    return {"statistic": r.statistic, "p": r.pvalue}


def equivalence(both, first, second, neither, margin):
    """The score test from its definition: the likelihood is maximised numerically under each end of the margin."""
    n = both + first + second + neither

    def score(a, b):  # of the hypothesis that share a is below share b by the margin
        def minus_log_likelihood(q):  # q: found by b alone; found by a alone is q - margin
            return -(special.xlogy(a, q - margin) + special.xlogy(b, q) + special.xlogy(n - a - b, 1 - 2 * q + margin))

        lo, hi = margin, (1 + margin) / 2
        q = optimize.minimize_scalar(minus_log_likelihood, bounds=(lo, hi), method="bounded", options={"xatol": 1e-13}).x
        derivative = lambda q: a / (q - margin) + b / q - 2 * (n - a - b) / (1 - 2 * q + margin)
        e = 1e-7 * (hi - lo)
        if derivative(lo + 1e-13) > 0 > derivative(hi - 1e-13):
            q = optimize.brentq(derivative, lo + 1e-13, hi - 1e-13, xtol=1e-16)
        elif abs(q - lo) < e:
            q = lo
        return (a - b + n * margin) / math.sqrt(n * (2 * q - margin - margin**2))

    z = min(score(first, second), score(second, first))
    return {"statistic": z, "p": stats.norm.sf(z)}


def dip(values):
    return {"statistic": diptest.dipstat(np.array(values, float), allow_zero=False)}


def dip_p(values):
    return {"p": diptest.diptest(np.array(values, float))[1]}  # by interpolation in Hartigan's table, as R's diptest has it


def kaplan_meier(times, ended):
    data = stats.CensoredData(
        uncensored=[t for t, e in zip(times, ended) if e], right=[t for t, e in zip(times, ended) if not e]
    )
    sf = stats.ecdf(data).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is undefined where the share is 0
        ci = sf.confidence_interval(0.95, method="log-log")
    events = {t for t, e in zip(times, ended) if e}
    rows = [
        [t, s, l if s > 0 else 0, h if s > 0 else 0]
        for t, s, l, h in zip(sf.quantiles, sf.probabilities, ci.low.probabilities, ci.high.probabilities)
        if t in events
    ]
    return {"curve": rows}


def wilson(hits, n):
    lo, hi = proportion_confint(hits, n, method="wilson")
    return {"lo": lo, "hi": hi}


def mean_over_ports(hosts, drawn, of):
    """Hosts are lists of [port, 1 if of the kind, else 0]. What a host adds to the error is the derivative of each port's share by the
    host's weight, by a complex step; a port's is times the root of k/(k - 1)."""
    ports = sorted({port for host in hosts for port, _ in host})
    hits, counts = np.zeros((len(hosts), len(ports))), np.zeros((len(hosts), len(ports)))
    for i, host in enumerate(hosts):
        for port, hit in host:
            hits[i, ports.index(port)] += hit
            counts[i, ports.index(port)] += 1
    k = counts.sum(axis=0)
    value = np.mean(hits.sum(axis=0) / k)
    errors = []
    for i in range(len(hosts)):
        weights = np.ones(len(hosts), complex)
        weights[i] += 1e-20j
        errors.append(np.sum((weights @ hits / (weights @ counts)).imag / 1e-20 * np.sqrt(k / (k - 1))) / len(ports))
    errors = np.array(errors)
    n, services = len(hosts), counts.sum()
    variance = (1 - drawn / of) * n / (n - 1) * np.sum(errors**2)
    effective = np.sum(errors**2) ** 2 / np.sum(errors**4)
    size = value * (1 - value) / variance * (stats.t.ppf(0.975, services - 1) / stats.t.ppf(0.975, effective - 1)) ** 2
    lo = stats.beta.ppf(0.025, size * value, size * (1 - value) + 1)
    hi = stats.beta.ppf(0.975, size * value + 1, size * (1 - value))
    return {"statistic": value, "effective": effective, "lo": lo, "hi": hi}


def plain(x):
    return {k: plain(v) for k, v in x.items()} if isinstance(x, dict) else [plain(v) for v in x] if isinstance(x, list) else float(x)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-15)


def main():
    path = sys.argv[-1]
    cases = json.load(open(path))
    bad = 0
    for case in cases:
        got = plain(globals()[case["test"]](**case["input"]))
        if sys.argv[1] == "-write":
            case["expect"] = got
        elif not same(got, case["expect"]):
            bad += 1
            print(f"{case['test']}, {case['name']}: expected {case['expect']}, is {got}")
    if sys.argv[1] == "-write":
        with open(path, "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(f"{len(cases)} cases recomputed with SciPy, statsmodels and diptest, {bad} differ")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
