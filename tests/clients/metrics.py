"""Prometheus' own parser reads the metrics page of a broker that has had some work."""

import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

address = sys.argv[1]
page = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
families = {family.name: family for family in text_string_to_metric_families(page)}

for name, kind in [
    ("klamm_requests", "counter"),
    ("klamm_request_duration_seconds", "histogram"),
    ("klamm_commit_duration_seconds", "histogram"),
    ("klamm_memory_bytes", "gauge"),
    ("klamm_groups", "gauge"),
    ("process_cpu_seconds", "counter"),
]:
    assert families[name].type == kind, f"{name} is a {families[name].type}"
for family in families.values():
    assert family.documentation, f"{family.name} says nothing of itself"
    if family.type != "histogram":
        continue
    # Buckets rise, and the last one has all.
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        series.setdefault(labels, {}).setdefault(sample.name, []).append(sample)
    for samples in series.values():
        buckets = samples[f"{family.name}_bucket"]
        values = [bucket.value for bucket in buckets]
        assert values == sorted(values), f"{family.name}: {values}"
        assert buckets[-1].labels["le"] == "+Inf"
        assert values[-1] == samples[f"{family.name}_count"][0].value
answered = sum(sample.value for sample in families["klamm_requests"].samples)
assert answered > 0
health = urllib.request.urlopen(f"http://{address}/healthz", timeout=10).read()
assert health == b"ok\n", health
print(f"metrics: {len(families)} families, {answered:.0f} requests: passed")
