"""Public figures that must come out of the shipped data: one line each, with its source."""

from __future__ import annotations

import msgspec

from hubbub.plan.failures import mttf_s
from hubbub.plan.hardware import find_cluster
from hubbub.plan.models import find_model
from hubbub.plan.power import draw
from hubbub.plan.predict import Prediction, predict
from hubbub.plan.tables import figure
from hubbub.specs import Layout, RunSpec


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One public figure beside what comes out here."""

    name: str
    published: float
    predicted: float
    unit: str
    within_pct: float
    source: str

    @property
    def is_met(self) -> bool:
        """Tell whether it lies within its bound."""
        return abs(self.predicted / self.published - 1) * 100 <= self.within_pct


def _told(model: str, cluster: str, layout: Layout, batch: int, precision: str, stack: str) -> Prediction:
    return predict(
        RunSpec(
            model=find_model(model),
            cluster=find_cluster(cluster),
            layout=layout,
            global_batch=batch,
            precision=precision,
            stack=stack,
        )
    )


def anchors() -> list[Anchor]:
    """Return every anchor with its prediction."""
    gpt = Layout(tp=4, pp=8, vpp=12, dp=336)
    llama = Layout(tp=8, pp=16, vpp=8, dp=128, zero=2)
    grok = Layout(tp=4, pp=8, vpp=8, cp=2, ep=8, dp=8)
    small = Layout(tp=4, pp=8, vpp=4, dp=16, micro_batch=2)
    busy = _told("gpt3-175b", "h100", small, 2048, "fp8", "nemo-2024").busy_share
    watts = draw("h100", 512, busy_share=busy, pue=1.0, is_air=False).server_w.mid
    rate, kokolis = figure("rate.rsc1"), "Kokolis et al. (arXiv 2410.21680)"
    rows = (
        ("GPT-3 175B, 10,752 H100, FP8: step", 0.930, "s", 10,
         _told("gpt3-175b", "h100", gpt, 2688, "fp8", "nemo-2024").step_s.mid,
         "MLPerf Training v3.1, eos-dfw_n1344 (its own log's median step is 1.068 s, row R0541)"),
        ("Llama 3 405B, 16,384 H100, 8k, BF16", 400, "TFLOP/s a GPU", 10,
         _told("llama3-405b", "llama3", llama, 2048, "bf16", "megatron-2024").tflops_per_gpu.mid,
         "Llama 3 Herd (arXiv 2407.21783), table 4"),
        ("Grok-1 314B, 512 H100, BF16: step", 15.9, "s", 15,
         _told("grok-1", "h100", grok, 1024, "bf16", "nemo-2025").step_s.mid,
         "NVIDIA/dgxc-benchmarking grok1/README.md"),
        ("GPT-3 175B, 512 H100: energy to train in 56.87 min", 415.2, "kWh", 10,
         watts * 64 / 1000 * 56.869 / 60, "MLPerf Training v4.0, smc-ac-power logs"),
        ("MTTF at 16,384 GPUs, RSC-1 rate", 1.8, "h", 5, mttf_s(16384, rate) / 3600, kokolis),
        ("MTTF at 131,072 GPUs, RSC-1 rate", 0.23, "h", 5, mttf_s(131072, rate) / 3600, kokolis),
    )  # fmt: skip
    return [
        Anchor(name=name, published=published, unit=unit, within_pct=pct, predicted=told, source=source)
        for name, published, unit, pct, told, source in rows
    ]
