import difflib
import re
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.core.errors import ParamsError
from pipeline.core.fields import load_sections
from pipeline.core.machine import Machine
from pipeline.core.variants import Variant, apart, row_of, short_form
from pipeline.corpus.section import Corpus
from pipeline.encoders.section import LogMelFeatures, WindowFeatures
from pipeline.params import load_params
from pipeline.train.section import Train

OURS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def load(tmp_path):
    """Return a function that loads the project's parameters with some keys changed or (value None) removed."""

    def run(changes, removed=()):
        yaml = YAML()
        raw = yaml.load(OURS.read_text(encoding="utf-8"))
        for key, value in changes.items():
            *sections, name = key.split(".")
            place = raw
            for section in sections:
                place = place[section]
            place[name] = value
        for key in removed:
            *sections, name = key.split(".")
            place = raw
            for section in sections:
                place = place[section]
            del place[name]
        with (tmp_path / "params.yaml").open("w") as file:
            yaml.dump(raw, file)
        return load_params(tmp_path / "params.yaml")

    return run


def test_own_parameters_are_valid():
    params = load_params(OURS)
    assert params.variant in params.variants


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ("train.seed=2", 1),
        ("variant=ImTa", 1),
        ("train.patience=3", 1),
        ("model.temperature=0.1", 1),
        ("variants.Any.drop_inputs=0.3", 1),
        ("+variants.Three=[tags,plot,image]", 4),
        ("evaluate.ks=[1,5,10,20,50]", 1),
    ],
)
def test_dvc_changes_only_the_lines_of_a_parameter(tmp_path, change, lines):
    path, before = tmp_path / "params.yaml", OURS.read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    apply_overrides(path, [change])  # as `dvc exp run --set-param`
    after = path.read_text(encoding="utf-8")
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "-+"]
    assert len({line[2:].partition(":")[0] for line in changed}) == lines
    load_params(path)


@pytest.mark.parametrize("key", ["train.no_such_key", "scrap", "features.audio.hops", "model.query.wdith"])
def test_unknown_keys(load, key):
    with pytest.raises(ParamsError, match=rf"{key}: unknown key"):
        load({key: 1})


@pytest.mark.parametrize(
    "key", ["train", "train.seed", "corpus.contact", "features.image.encoder", "model.audio.blocks"]
)
def test_missing_keys(load, key):
    with pytest.raises(ParamsError, match=rf"{key}: missing key"):
        load({}, [key])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.epochs", "60"),
        ("train.epochs", 60.5),
        ("train.epochs", 0),
        ("train.epochs", True),
        ("train.learning_rate", "0.001"),
        ("train.learning_rate", -0.001),
        ("train.learning_rate", float("inf")),
        ("train.learning_rate", None),
        ("train.batch_size", 1),
        ("train.seed", -1),
        ("scrape.attempts", 0),
        ("scrape.timeout_seconds", 0.0),
        ("scrape.min_success_rate", 1.1),
        ("parse.missing", "drop"),
        ("parse.jpeg_quality", 96),
        ("segment.sample_rate", 22000),
        ("corpus.folder", ""),
        ("corpus.serve", False),
        ("machine.device", "gpu"),
        ("machine.audio_batch_size", 0),
        ("machine.image_batch_size", 1.5),
        ("machine.text_batch_size", True),
        ("machine.embed_batch_size", "many"),
        ("features", []),
        ("model.query.dropout", 1.0),
    ],
)
def test_mistyped_values_are_named_with_what_was_found(load, key, value):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}: found "):
        load({key: value})


def test_batch_sizes_are_auto_or_numbers(load):
    machine = load({"machine.audio_batch_size": "auto", "machine.embed_batch_size": 100}).machine
    assert (machine.audio_batch_size, machine.embed_batch_size) == ("auto", 100)
    with pytest.raises(ParamsError, match=r"found 'many' \(str\), should be auto or a whole number of 1 or more$"):
        load({"machine.embed_batch_size": "many"})


def test_integers_are_accepted_for_decimals(load):
    assert load({"scrape.timeout_seconds": 30}).scrape.timeout_seconds == 30.0


def test_yaml_1_2_as_dvc_reads_it(load, tmp_path):
    text = OURS.read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"learning_rate: \S+", "learning_rate: 1e-3", text))
    assert load_params(tmp_path / "params.yaml").train.learning_rate == 0.001
    (tmp_path / "params.yaml").write_text(re.sub(r"epochs: \S+", "epochs: yes", text))
    with pytest.raises(ParamsError, match=r"train\.epochs: found 'yes'"):
        load_params(tmp_path / "params.yaml")


def test_all_problems_are_reported_at_once(load):
    with pytest.raises(ParamsError) as caught:
        load({"train.epochs": 0, "scrape.attempts": "x", "parse.extra": 1})
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "Every"}, "variant: found 'Every', allowed are Im, Ta, Plo"),
        ({"segment.min_seconds": 1e6}, "segment: min_seconds"),
        ({"split.train": 0.011}, "split: train"),
        ({"features.audio.encoder": "log-mel", "features.audio.f_max": 1e6}, r"features\.audio: .*f_max"),
        ({"features.audio.encoder": "log-mel", "features.audio.f_min": 1e5}, r"features\.audio: .*f_min"),
    ],
)
def test_relations_between_values(load, changes, message):
    with pytest.raises(ParamsError, match=message):
        load(changes)


def test_the_text_of_tags_and_plot_is_read_as_its_parts():
    assert apart(["tags_plot", "image"]) == ["tags", "plot", "image"]
    assert apart(["plot", "tags_plot"]) == ["plot", "tags"]
    assert apart(["image"]) == ["image"]


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"model.towers": "paper"}, ("train.init", "model.towers")),
        ({"model.towers": "hidden"}, ("train.init", "model.towers")),
        ({"train.encoders": "finetune"}, ("train.encoders", "model.towers")),
        ({"train.encoders": "finetune", "model.towers": "hidden", "train.init": "random"}, ("train.encoders",)),
    ],
)
def test_conflicting_settings_are_both_named(load, changes, keys):
    with pytest.raises(ParamsError) as raised:
        load(changes)
    assert all(key in str(raised.value) for key in keys)
    assert load({"model.towers": "paper", "train.init": "random", "train.encoders": "finetune"})


def test_variants(load):
    inputs = ["image", "tags", "plot"]
    for written in (inputs, {"inputs": inputs}, {"inputs": inputs, "method": "contrastive", "drop_inputs": 0.0}):
        params = load({"variants.Three": written, "variant": "Three"})
        assert params.row("Three") == Variant(inputs, "contrastive", 0.0)
        assert short_form(written) == short_form(params.row("Three")) == inputs
        assert row_of(written) == params.row("Three")
    settings = {"inputs": ["tags_plot", "image"], "method": "linear", "drop_inputs": 0.25}
    assert load({"variants.Own": settings}).row("Own") == Variant(["tags_plot", "image"], "linear", 0.25)
    assert short_form(settings) == settings
    assert short_form(settings | {"drop_inputs": 0.0}) == {"inputs": ["tags_plot", "image"], "method": "linear"}
    for wrong in (
        [],
        ["images"],
        "image",
        None,
        ["tags", "tags"],
        {"method": "linear"},
        {"inputs": ["tags"], "method": "quadratic"},
        {"inputs": ["tags"], "drop_inputs": 1.0},
        {"inputs": ["tags"], "epochs": 3},
    ):
        with pytest.raises(ParamsError, match=r"variants\.Three"):
            load({"variants.Three": wrong})
    for name in ("../up", "a b", "1st", "x" * 33, ""):
        with pytest.raises(ParamsError, match="variants"):
            load({f"variants.{name}" if "." not in name else "variants": {name: ["tags"]} if "." in name else ["tags"]})


@pytest.mark.parametrize("text", ["", "[]", "3", "a: [", "a: 1\na: 2", "\x00", "!!python/object:os.system {}"])
def test_not_our_file(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(tmp_path / "params.yaml")


def test_missing_file_error_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="repository's root"):
        load_params(tmp_path / "params.yaml")


def test_a_stage_checks_only_its_own_sections(tmp_path):
    text = OURS.read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("epochs: 60", "epochs: sixty"), encoding="utf-8")
    corpus, machine = load_sections(tmp_path / "params.yaml", {"corpus": Corpus, "machine": Machine})
    assert (corpus.folder, machine.processes) == ("data/sample", 2)
    with pytest.raises(ParamsError, match=r"train\.epochs: found 'sixty'"):
        load_sections(tmp_path / "params.yaml", {"corpus": Corpus, "train": Train})
    with pytest.raises(ParamsError, match=r"features\.smell: missing key"):
        load_sections(tmp_path / "params.yaml", {"features.smell": Corpus})


def test_audio_features_have_the_shape_of_their_encoder(load):
    log_mel = {"features.audio.encoder": "log-mel"}
    assert isinstance(load(log_mel).features.audio, LogMelFeatures)
    windows = load({"features.audio.encoder": "laion/clap"}, ["features.audio.n_mels"]).features.audio
    assert windows == WindowFeatures("laion/clap", "auto", 30.0, 30.0)
    assert load(log_mel, ["features.audio.pooling"]).features.audio == load(log_mel).features.audio
    for changes, removed, message in (
        (log_mel | {"features.audio.n_mels": "many"}, [], r"features\.audio\.n_mels: found 'many'"),
        (
            {"features.audio.encoder": "laion/clap"},
            ["features.audio.pooling"],
            r"features\.audio\.pooling: missing key",
        ),
        (
            {"features.audio.encoder": "laion/clap", "features.audio.bands": 8},
            [],
            r"features\.audio\.bands: unknown key",
        ),
        (log_mel | {"features.audio.hop_length": 4096}, [], r"features\.audio: hop_length \(4096\)"),
    ):
        with pytest.raises(ParamsError, match=message):
            load(changes, removed)
