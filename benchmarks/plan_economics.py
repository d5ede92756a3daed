"""What the planner tells of failures, power and money beside what is published: one table.

python -m benchmarks.plan_economics [--json]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json

from hubbub.cli.output import format_table
from hubbub.plan.cost import break_even_months, own, rent_usd_per_gpu_hour
from hubbub.plan.estimate import Estimate, exact
from hubbub.plan.failures import FailureModel, expect_goodput, meta_ettr, mttf_s
from hubbub.plan.grid import find_region
from hubbub.plan.power import busy_server_w, draw, find_server
from hubbub.plan.tables import figure
from hubbub.plan.wording import tell

Line = tuple[str, str, Estimate, str, str]
WHEN = dt.date(2024, 9, 2)


def failures() -> list[Line]:
    rsc1, llama3 = figure("rate.rsc1"), figure("rate.llama3")
    mega = FailureModel(rate=exact(figure("rate.megascale")), restart_s=1500)
    kokolis, herd = "arXiv 2410.21680", "arXiv 2407.21783"
    return [
        ("MTTF, 8 GPUs, RSC-1", "1145", exact(mttf_s(8, rsc1) / 3600), "h", kokolis),
        ("MTTF, 1,024 GPUs, RSC-1", "7.9", exact(mttf_s(1024, rsc1) / 3600), "h", kokolis),
        ("MTTF, 16,384 GPUs, RSC-1", "1.8", exact(mttf_s(16_384, rsc1) / 3600), "h", kokolis),
        ("MTTF, 131,072 GPUs, RSC-1", "0.23", exact(mttf_s(131_072, rsc1) / 3600), "h", kokolis),
        ("MTTF, 16,384 H100, Llama 3", "3.09", exact(mttf_s(16_384, llama3) / 3600), "h", herd),
        ("effective time, Llama 3", "> 0.90", expect_goodput(16_384, 405e9).goodput, "", herd),
        (
            "effective time, MegaScale",
            "> 0.90",
            expect_goodput(10_240, 175e9, mega).goodput,
            "",
            "arXiv 2402.15627",
        ),
        ("ETTR, 1,024 GPUs, hourly saves", "0.90", exact(meta_ettr(3600, 40, 600, 7.9 * 3600)), "", kokolis),
    ]


def power() -> list[Line]:
    gpt = busy_server_w(find_server("h100"), 0.87, is_air=False).scaled(64 * 0.95 / 1000)
    epoch = "Epoch AI"
    return [
        ("energy, GPT-3 on 512 H100, 57 min", "415", gpt, "kWh", "MLPerf Training v4.0"),
        ("hall, 100,000 H100", "181", draw("h100", 100_000, busy_share=0.8).provisioned_mw, "MW", epoch),
        (
            "hall, 200,000 H100 and H200",
            "361",
            draw("h100", 200_000, busy_share=0.8).provisioned_mw,
            "MW",
            epoch,
        ),
        ("hall, 110,000 GB200", "299", draw("gb200", 110_000, busy_share=0.8).provisioned_mw, "MW", epoch),
    ]


def money() -> list[Line]:
    owned = own(draw("h100", 100_000, busy_share=0.8), "h100", WHEN, find_region("us-tn"))
    rent = rent_usd_per_gpu_hour("h100", WHEN)
    return [
        ("all-in, 100,000 H100, 2024", "47", owned.capex_usd.scaled(1e-8), "k$ a GPU", "Epoch AI"),
        ("rent on demand, H100, 2024", "3.95", rent, "$/GPU-h", "Epoch AI"),
        ("owning overtakes", "14 to 18", break_even_months(owned, rent), "months", "v2-pseo-ai (weak)"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    lines = [*failures(), *power(), *money()]
    if parser.parse_args().json:
        keys = ("what", "published", "predicted", "unit", "source")
        told = [(w, p, {"low": e.low, "mid": e.mid, "high": e.high}, u, s) for w, p, e, u, s in lines]
        print(json.dumps([dict(zip(keys, line, strict=True)) for line in told]))
        return
    header = ("what", "published", "here (80% band)", "unit", "source")
    print(format_table(header, [(w, p, tell(e), u, s) for w, p, e, u, s in lines]))


if __name__ == "__main__":
    main()
