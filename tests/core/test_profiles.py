import pytest

from podium.core.budgets.accelerators import accelerators, of_device_kind
from podium.core.budgets.competitions import competitions, load_competition
from podium.core.budgets.profiles import FORMER, check_kaggle_id, load_profile, own_file, profiles
from podium.core.errors import UsageError


def test_every_profile_has_its_machine_session_and_sources():
    for name, profile in profiles().items():
        assert profile.name == name and profile.session_s > profile.reserve_s
        assert {"session_h", *(["quota_h", "kaggle_id"] if profile.rate else [])} <= set(profile.sources), name
    tpu, l4 = load_profile("kaggle-tpu-v5e-8"), load_profile("kaggle-gpu-l4x4")
    assert (tpu.session_s, tpu.week_s, tpu.count, tpu.accelerator.kind) == (9 * 3600, 20 * 3600, 8, "tpu")
    assert (l4.session_s, l4.rate, l4.week_s, l4.internet) == (12 * 3600, 2, 30 * 3600, False)
    assert load_profile("local").week_s is None


def test_former_names_mean_the_same_machines():
    for former, name in FORMER.items():
        assert load_profile(former) == load_profile(name)


@pytest.mark.parametrize(
    ("device_kind", "name"),
    [
        ("TPU v5 lite", "tpu-v5e"),
        ("TPU v5", "tpu-v5p"),
        ("TPU v6 lite", "tpu-v6e"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("TPU v9", None),
    ],
)
def test_an_accelerator_is_found_by_what_jax_calls_it(device_kind, name):
    found = of_device_kind(device_kind)
    assert (found and found.name) == name


def test_the_memory_of_a_v5e_is_what_its_compiler_allows():
    assert accelerators()["tpu-v5e"].memory_bytes == int(15.75 * 2**30)


def test_the_users_profiles_are_added(tmp_path, monkeypatch):
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path))
    own_file().write_text("lab: {accelerator: h100, count: 2, session_h: 4, reserve_s: 60, rate: 0}\n")
    lab = load_profile("lab")
    assert (lab.accelerator.name, lab.session_s) == ("h100", 14400)
    assert "local" in profiles()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lab: {accelerator: h100, count: 2, session_s: 4, reserve_s: 60, rate: 0}", "lab: unknown key 'session_s'"),
        (
            "lab: {accelerator: h1000, count: 2, session_h: 4, reserve_s: 6, rate: 0}",
            "accelerator 'h1000', must be one",
        ),
        ("lab: {accelerator: h100, count: 2, session_h: 14400, reserve_s: 60, rate: 0}", "session_h=14400"),
        ("lab: {accelerator: h100, count: 2, session_h: 4h, reserve_s: 60, rate: 0}", "session_h='4h'"),
        ("lab: {accelerator: h100, count: 2, session_h: 4, reserve_s: 60, rate: 1}", "give both, or rate: 0 alone"),
        ("lab: {accelerator: h100, session_h: 4, reserve_s: 60, rate: 0}", "give both or none"),
        (
            "old: {accelerator: t4, count: 1, session_h: 4, reserve_s: 6, rate: 0, kaggle_id: NvidiaTeslaP100}",
            "accelerator 'NvidiaTeslaP100' is retired; Kaggle would run it on NvidiaTeslaT4",
        ),
        ("lab: 3", "lab holds int, must be a mapping"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_file(tmp_path, monkeypatch, text, message):
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path))
    own_file().write_text(text)
    with pytest.raises(UsageError) as caught:
        load_profile("lab")
    assert str(own_file()) in str(caught.value) and message in str(caught.value)


def test_an_unknown_profile_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"budget.profile='colab', must be one of local, kaggle-tpu-v5e-8, .*own"):
        load_profile("colab")


@pytest.mark.parametrize("retired", ["NvidiaTeslaP100", "TpuV38", "Tpu1VmV38"])
def test_a_retired_machine_is_refused_by_name(retired):
    with pytest.raises(UsageError, match=f"{retired}.*retired; Kaggle would run it on"):
        check_kaggle_id(retired)
    with pytest.raises(UsageError, match="retired"):
        load_profile(retired)


def test_competitions_have_sources_and_are_found_by_name():
    assert all(rules.sources for rules in competitions().values())
    assert load_competition("google-tunix-hackathon").max_new_tokens == 1000
    with pytest.raises(UsageError, match="must be one of google-tunix-hackathon"):
        load_competition("imagenet")
