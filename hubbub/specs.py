"""The nouns of the machines' half: a model, a GPU, a cluster, a layout, a run; it holds no model of time.

The one FLOPs formula of the project stands on `ModelSpec`. A multiply-add counts as two operations. Field
names carry their unit; bandwidths are bytes a second in one direction.
"""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidInput

PRECISIONS = ("fp16", "bf16", "fp8", "mxfp8", "nvfp4")
RECOMPUTES = ("none", "selective", "full")


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a transformer, dense or of experts; `ffn` is the width of a dense layer's feed-forward.

    `kv_rank > 0` means multi-head latent attention: `head_dim` is then the part without rotation, `rope_dim`
    the rotated part, `v_dim` the width of a value. A window of 0 attends to the whole sequence.
    """

    name: str
    num_layers: int
    hidden: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    seq: int = 4096
    is_gated: bool = True
    is_tied: bool = False
    q_rank: int = 0
    kv_rank: int = 0
    rope_dim: int = 0
    v_dim: int = 0
    window: int = 0
    num_windowed_layers: int = 0
    num_experts: int = 0
    top_k: int = 0
    moe_ffn: int = 0
    num_shared_experts: int = 0
    num_dense_layers: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse shapes that no transformer has."""
        for field in ("num_layers", "hidden", "num_heads", "num_kv_heads", "head_dim", "ffn", "vocab", "seq"):
            if getattr(self, field) < 1:
                raise InvalidInput(
                    f"model {self.name!r}: {field} is {getattr(self, field)}; it must be 1 or more"
                )
        if self.num_heads % self.num_kv_heads:
            raise InvalidInput(
                f"model {self.name!r}: num_kv_heads {self.num_kv_heads} does not divide num_heads "
                f"{self.num_heads}; the nearest that does is "
                f"{nearest_divisor(self.num_heads, self.num_kv_heads)}"
            )
        if self.num_experts and not (1 <= self.top_k <= self.num_experts and self.moe_ffn > 0):
            raise InvalidInput(
                f"model {self.name!r}: {self.num_experts} experts need top_k from 1 to {self.num_experts} "
                f"(is {self.top_k}) and moe_ffn above 0 (is {self.moe_ffn})"
            )
        if not 0 <= self.num_dense_layers <= self.num_layers:
            raise InvalidInput(
                f"model {self.name!r}: num_dense_layers {self.num_dense_layers} is not within num_layers "
                f"{self.num_layers}"
            )

    @property
    def num_moe_layers(self) -> int:
        """Count the layers whose feed-forward is a set of experts."""
        return self.num_layers - self.num_dense_layers if self.num_experts else 0

    @property
    def attention_params(self) -> int:
        """Count the weights of one layer's attention; MLA as in arXiv 2412.19437, section 2.1."""
        h, a, d = self.hidden, self.num_heads, self.head_dim
        if not self.kv_rank:
            return h * d * (2 * a + 2 * self.num_kv_heads)
        width = a * (d + self.rope_dim)
        q = h * self.q_rank + self.q_rank * width if self.q_rank else h * width
        kv = h * (self.kv_rank + self.rope_dim) + self.kv_rank * a * (d + self.v_dim)
        return q + kv + a * self.v_dim * h

    @property
    def dense_ffn_params(self) -> int:
        """Count the weights of one dense layer's feed-forward."""
        return (3 if self.is_gated else 2) * self.hidden * self.ffn

    @property
    def expert_params(self) -> int:
        """Count the weights of one expert."""
        return (3 if self.is_gated else 2) * self.hidden * self.moe_ffn

    @property
    def num_params(self) -> int:
        """Count all weights: layers, router, norms and both embeddings."""
        embeddings = self.vocab * self.hidden * (1 if self.is_tied else 2)
        moe = (self.num_experts + self.num_shared_experts) * self.expert_params
        layers = self.num_layers * (self.attention_params + 2 * self.hidden)
        layers += (self.num_layers - self.num_moe_layers) * self.dense_ffn_params
        layers += self.num_moe_layers * (moe + self.hidden * self.num_experts)
        return layers + embeddings + self.hidden

    @property
    def num_matmul_params(self) -> int:
        """Count the weights that one token is multiplied with: active experts, router and the logits."""
        moe = (self.top_k + self.num_shared_experts) * self.expert_params + self.hidden * self.num_experts
        dense = self.num_layers - self.num_moe_layers
        layers = self.num_layers * self.attention_params + dense * self.dense_ffn_params
        return layers + self.num_moe_layers * moe + self.hidden * self.vocab

    def attended(self, seq: int, *, is_causal: bool = True) -> float:
        """Return how many positions a token attends to, mean over tokens and layers."""
        full = seq / 2 if is_causal else float(seq)
        if not self.num_windowed_layers or self.window <= 0 or self.window >= seq:
            return full
        near = self.window - self.window**2 / (2 * seq)
        share = self.num_windowed_layers / self.num_layers
        return (1 - share) * full + share * min(near, full)

    def flops_per_token(self, seq: int | None = None, *, is_causal: bool = True) -> float:
        """Return the operations that training on one token takes, forward and backward, without recompute.

        6 N + 6 L a (d_qk + d_v) attended: PaLM (arXiv 2204.02311, appendix B) and Korthikanti (2205.05198,
        appendix A), with attended = s/2 for a causal mask that the kernel uses, s for the older convention.
        """
        if self.kv_rank:
            width = self.num_heads * (self.head_dim + self.rope_dim + self.v_dim)
        else:
            width = 2 * self.num_heads * self.head_dim
        attended = self.attended(seq or self.seq, is_causal=is_causal)
        return 6.0 * self.num_matmul_params + 6.0 * self.num_layers * width * attended


class GpuSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One accelerator; peaks are dense, never with sparsity."""

    name: str
    memory_bytes: float
    memory_bytes_per_s: float
    peak_flops: dict[str, float]
    link_bytes_per_s: float
    tdp_w: float
    gemm: str = ""
    source: str = ""


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Servers of one GPU and the network between them.

    `link_domain` is how many GPUs one scale-up network (NVLink) joins: 8 or 72. `pod_gpus` are joined
    without oversubscription (0: all); above a pod the network is `oversubscription` times thinner.
    """

    name: str
    gpu: GpuSpec
    nic_bytes_per_s: float
    gpus_per_node: int = 8
    link_domain: int = 8
    num_gpus: int = 0
    pod_gpus: int = 0
    oversubscription: float = 1.0
    pue: float | None = None
    region: str = ""
    power_cap_mw: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse clusters that cannot be."""
        for field in ("nic_bytes_per_s", "gpus_per_node", "link_domain", "oversubscription"):
            if not getattr(self, field) > 0:
                raise InvalidInput(
                    f"cluster {self.name!r}: {field} is {getattr(self, field)}; it must be above 0"
                )


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model lies on GPUs.

    Tensor (`tp`), pipeline (`pp`, in `vpp` interleaved chunks), context (`cp`), expert (`ep`) and data
    parallelism (`dp`, all replicas); `zero` shards states over data replicas (3 is FSDP), over `shard`
    of them when it is above 0 (HSDP). `etp` is the tensor parallelism within an expert.
    """

    tp: int = 1
    pp: int = 1
    vpp: int = 1
    cp: int = 1
    ep: int = 1
    etp: int = 1
    dp: int = 1
    zero: int = 1
    shard: int = 0
    micro_batch: int = 1
    recompute: str = "none"
    is_sequence_parallel: bool = True

    @property
    def num_gpus(self) -> int:
        """Count the GPUs of the layout; experts lie within the data and context replicas."""
        return self.tp * self.pp * self.cp * self.dp


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training run: a model on a cluster in a layout; `global_batch` in sequences, `num_tokens` in all.

    `stack` names a dated profile of the training software (`hubbub plan show stacks`).
    """

    model: ModelSpec
    cluster: ClusterSpec
    layout: Layout
    global_batch: int
    precision: str = "bf16"
    stack: str = ""
    seq: int = 0
    num_tokens: float = 0.0
    attention: str = "flash"

    @property
    def seq_len(self) -> int:
        """Return the tokens of one sequence."""
        return self.seq or self.model.seq

    @property
    def bits(self) -> float:
        """Return the bits of the numbers that its matrix products take."""
        return {"fp8": 8.0, "mxfp8": 8.0, "nvfp4": 4.0}.get(self.precision, 16.0)

    @property
    def tokens_per_step(self) -> int:
        """Return the tokens of one step."""
        return self.global_batch * self.seq_len


def nearest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of `number` that is nearest to `wanted`, the smaller of two."""
    number, wanted = max(number, 1), max(wanted, 1)
    below = next(d for d in range(min(wanted, number), 0, -1) if number % d == 0)
    above = next((d for d in range(wanted, number + 1) if number % d == 0), below)
    return below if wanted - below <= above - wanted or above < wanted else above
