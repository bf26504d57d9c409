"""Compares what two runs of lm-evaluation-harness logged: the same requests must have got the same answers.

Usage: compare.py FOLDER_A FOLDER_B [TOLERANCE]     (what --output_path and --log_samples wrote; tolerance 1e-3 by default)

Log-likelihoods of a request may differ by the tolerance; whether it is the greedy continuation may not differ.
The last line states how many were compared and the largest difference; the exit status is 1 when something differs.
"""

import json
import pathlib
import sys


def answers(folder):
    """(task, document, request) -> (log-likelihood, is greedy), of the newest log of each task."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("samples_*.jsonl")):
        task = path.name.removeprefix("samples_").rsplit("_", 1)[0]
        for line in path.read_text().splitlines():
            sample = json.loads(line)
            for number, answer in enumerate(sample["resps"]):
                (loglikelihood, is_greedy) = answer[0] if isinstance(answer[0], list) else answer
                found[task, sample["doc_id"], number] = (float(loglikelihood), str(is_greedy) == "True")
    return found


def main(folder_a, folder_b, tolerance="1e-3"):
    a, b = answers(folder_a), answers(folder_b)
    if not a or a.keys() != b.keys():
        sys.exit(f"not the same requests: {len(a)} and {len(b)}, {len(a.keys() & b.keys())} of them in both")
    largest, wrong = 0.0, 0
    for key in sorted(a):
        difference = abs(a[key][0] - b[key][0])
        largest = max(largest, difference)
        if difference > float(tolerance) or a[key][1] != b[key][1]:
            wrong += 1
            print(f"{key}: {a[key]} and {b[key]}")
    greedy = sum(is_greedy for _, is_greedy in a.values())
    print(f"{len(a)} requests, {greedy} of them greedy, largest difference of log-likelihoods {largest:.2e}, {wrong} beyond {tolerance}")
    sys.exit(1 if wrong else 0)


main(*sys.argv[1:])
