#!/usr/bin/env python3
"""Computes the table that the statistics of `loadgen duet` are held to, independently of them: with scipy.

    python3 -m venv target/tools/statistics && target/tools/statistics/bin/pip install --quiet scipy==1.17.1
    target/tools/statistics/bin/python scripts/duet-table.py > results/src/duet/interval/scipy.csv

Yuen's error is scipy's own (`ttest_ind` with `trim`, against a constant sample, whose variance is 0, so that what is left is the
one-sample case); trimming, winsorising and t are scipy's too. Stretches are cut by numpy. Values are seeded.
"""
import csv
import sys

import numpy as np
from scipy import stats

TRIM, BATCHES = 0.1, 12


def cases():
    draw = np.random.default_rng(20)
    for n in (12, 13, 24, 48, 97, 120):
        yield f"normal-{n}", draw.normal(0.01, 0.05, n)
        yield f"heavy-{n}", draw.standard_t(2, n) * 0.03
    walk = draw.normal(0, 0.02, 170)
    for i in range(1, 170):
        walk[i] += 0.7 * walk[i - 1]
    yield "ar-0.7-120", walk[50:]
    yield "lognormal-60", draw.lognormal(-4, 1, 60) - 0.02
    yield "ties-24", np.repeat([0.0, 0.125, -0.25], 8)


def row(name, values, alpha):
    n = len(values)
    kept = n - 2 * int(TRIM * n)
    mean = stats.trim_mean(values, TRIM)
    pulled_in = np.asarray(stats.mstats.winsorize(values, limits=(TRIM, TRIM)))
    test = stats.ttest_ind(values, np.zeros(n), trim=TRIM, equal_var=False)
    yuen = abs(mean / test.statistic)
    edges = [k * n // BATCHES for k in range(BATCHES + 1)]
    means = [pulled_in[a:b].mean() for a, b in zip(edges, edges[1:])]
    batched = stats.sem(means) * n / kept
    errors = ((yuen, kept - 1), (batched, BATCHES - 1))
    half = max(error * stats.t.ppf(1 - alpha / 2, freedom) for error, freedom in errors)
    p = max(2 * stats.t.sf(abs(mean) / error, freedom) for error, freedom in errors)
    numbers = (alpha, mean, pulled_in.var(ddof=1), yuen, batched, half, p)
    return [name, *(repr(float(x)) for x in numbers), " ".join(repr(float(v)) for v in values)]


out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["case", "alpha", "mean", "winsorised_variance", "yuen", "batched", "half", "p", "values"])
for name, values in cases():
    for alpha in (0.01, 0.0002):
        out.writerow(row(name, values, alpha))
