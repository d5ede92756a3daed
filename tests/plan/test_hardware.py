import pytest

from hubbub.errors import InvalidInput
from hubbub.plan.hardware import clusters, find_cluster, find_gpu, gpus
from hubbub.plan.power import find_server


def test_every_accelerator_and_cluster_has_a_source_and_dense_peaks():
    assert {"a100-80", "h100", "h200", "h800", "b200", "b300", "gb200", "gb300", "mi300x", "tpu-v5p"} <= set(
        gpus()
    )
    assert all(gpu.source for gpu in gpus().values())
    assert all(cluster.source for cluster in clusters().values())
    # Datasheets print 1,979 TFLOP/s for H100 in bf16 with sparsity; half of it is dense.
    assert find_gpu("h100").peak_flops["bf16"] == pytest.approx(1979e12 / 2, rel=0.001)
    assert find_gpu("H100").peak_flops["fp8"] == pytest.approx(2 * 989e12, rel=0.001)


def test_every_accelerator_has_a_server_that_draws_power():
    for gpu in gpus():
        assert find_server(gpu).rated_w > 0


def test_a_cluster_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('gpu = "h100"\nnic_gb_s = 200\nnum_gpus = 64\npower_cap_mw = 1.5\n')
    cluster = find_cluster(str(path))
    assert (cluster.name, cluster.nic_bytes_per_s, cluster.num_gpus) == ("mine", 25e9, 64)
    path.write_text(
        "nic_gb_s = 200\n[gpu]\nmemory_gib = 80\nmemory_tb_s = 3\nlink_gb_s = 400\ntdp_w = 600\n"
        'gemm = "h100_sxm"\npeak_tflops = { bf16 = 800 }\n'
    )
    assert find_cluster(str(path)).gpu.peak_flops == {"bf16": 8e14}


GPU = "nic_gb_s = 1\n[gpu]\nmemory_gib = 80\nmemory_tb_s = 3\nlink_gb_s = 400\ntdp_w = 600\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('gpu = "h101"\nnic_gb_s = 200', "nearest is 'h100'"),
        ('gpu = "h100"\nnic_gb_s = -1', "nic_gb_s is -1"),
        ('gpu = "h100"\nnic_gb_s = nan', "nic_gb_s is nan"),
        ('gpu = "h100"\nnic_gb_s = 1\nlink_domian = 8', "nearest is 'link_domain'"),
        ("nic_gb_s = 1", "gpu is missing"),
        ("gpu = ", "cannot be read"),
        ('gpu = "h100"\nnic_gb_s = 1\noversubscription = 0', "oversubscription is 0"),
        ('gpu = "h100"\nnic_gb_s = 1\nlink_domain = "8"', "link_domain"),
        ('gpu = "h100"\nnic_gb_s = 1\npod_gpus = []', "pod_gpus"),
        (GPU, "peak_tflops is None"),
        (GPU + "peak_tflops = {}", "peak_tflops is {}"),
        (GPU + "peak_tflops = 989", "peak_tflops is 989"),
        (GPU + "peak_tflops = { fp7 = 1 }", "precision 'fp7' is not known; the nearest is"),
        (GPU + "peak_tflops = { bf16 = -1 }", "bf16 is -1"),
        (GPU + "peak_tflops = { bf16 = 1 }\ntdp = 1", "nearest is 'tdp_w'"),
        (GPU + 'peak_tflops = { bf16 = 1 }\ngemm = "h101"', "gemm 'h101' is not known; the nearest is"),
    ],
)
def test_clusters_that_cannot_be_are_told(tmp_path, text, told):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        find_cluster(str(path))
