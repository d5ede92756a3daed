"""Ranks as processes forked from a server that has imported torch once, and what they train."""

import multiprocessing
import os
import signal

from hubbub.train.launch import free_port
from hubbub.train.recipe import TrainSettings
from tests.train.conftest import TINY, PlainCorpus, counting

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["tests.train.conftest", "hubbub.train.run", "torch.distributed.fsdp", "torch._dynamo"]
)
BATCH = 512


def settings_for(directory, **changes) -> TrainSettings:
    asked = {
        "corpus": "in memory",
        "run_dir": str(directory),
        "shape": TINY,
        "steps": 12,
        "batch_tokens": BATCH,
        "micro_tokens": 128,
        "rate": 3e-3,
        "precision": "fp32",
        "save_every": 4,
        "keep": 9,
        "join_s": 20.0,
    }
    return TrainSettings(**{**asked, **changes})


def source(seed=0, documents=200):
    from hubbub.train.source import CorpusSource

    return CorpusSource(PlainCorpus(counting(documents)), seed=seed, batch_tokens=BATCH)


def work(environment, settings, tell=None):
    os.environ.update(environment)
    from hubbub.train.run import train

    train(settings, source=source(), tell=tell)


def die(environment, settings):
    """Train as `work` does, but for rank 1, which is killed at its tenth batch."""
    os.environ.update(environment)
    from hubbub.train.run import train
    from hubbub.train.source import CorpusSource

    class Deadly(CorpusSource):
        def plan(self, number):
            if number == 9 and environment["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().plan(number)

    train(settings, source=Deadly(PlainCorpus(counting(200)), seed=0, batch_tokens=BATCH))


def start(world, settings, target=work, **environment):
    """Start the ranks of a world and return their processes."""
    port = str(free_port())
    found = []
    for rank in range(world):
        told = {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        told |= environment
        found.append(_SERVER.Process(target=target, args=(told, settings)))
        found[-1].start()
    return found


def finish(processes, timeout_s=60):
    """Wait for all and return their exit codes."""
    for process in processes:
        process.join(timeout_s)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]
