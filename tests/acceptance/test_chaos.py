"""`./carillon chaos`: one fault of each family under load, and every notification accounted for."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Redis is killed, answers of the mail server are lost, a worker freezes, RabbitMQ is stopped.
SEED, SECONDS, RATE = 69, 20, 40


def test_nothing_is_lost_while_everything_is_broken_in_turn(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "carillon_stack", "chaos", "--json"),
            *("--seed", str(SEED), "--seconds", str(SECONDS), "--rate", str(RATE)),
        ],
        cwd=ROOT,
        env={**os.environ, "CARILLON_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert {fault["kind"] for fault in report["faults"]} == {"kill", "stop", "freeze", "provider"}
    assert report["accepted"] == SECONDS * RATE
    assert (report["lost"]["count"], report["contradictions"]["count"]) == (0, 0)
    assert report["delivered"] == report["accepted"]
    assert report["repeated"]["other_message_id"] == 0
    assert report["engines"]["postgres"]["fsync"] == "on"
    assert report["engines"]["redis"]["appendonly"] == "yes"
    assert not list((tmp_path / "chaos").iterdir())
