"""Raw tags, plots and pictures are embedded like the films of the data set."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline.apps.recommend import query as query_module
from pipeline.apps.recommend.query import WHOLE, Encoders, Query, QueryEncoder, tags_as_trained
from pipeline.core.errors import ModelError
from pipeline.encoders.image import ImageEncoder
from pipeline.encoders.text import TextEncoder
from pipeline.model.embed import embed_films, queries_of
from pipeline.model.store import load_model, open_for_model, save_model
from pipeline.store.films import films_of
from pipeline.store.inputs import film_rows
from tests.apps.recommend.asked_world import CPU, make_asked_world
from tests.encoders.tiny import save_prompt, save_sentence
from tests.evaluate.small_world import World

pytestmark = pytest.mark.slow

INPUTS = [["image"], ["tags"], ["plot"], ["tags", "image"], ["plot", "image"], ["tags_plot"], ["tags_plot", "image"]]


@pytest.fixture
def asked(tmp_path, params, tiny_bert, tiny_vit):
    """Return a function that creates the world of a variant."""
    return lambda inputs, **options: make_asked_world(tmp_path, params, inputs, tiny_bert, tiny_vit, **options)


def as_queries(world: World) -> list[Query]:
    """Return the films of the data set as queries."""
    films = film_rows(world.rows)
    return [Query(film["title"], film["tags"], film["plot"], world.root / film["image"]) for film in films]


def expected(world: World) -> np.ndarray:
    """Return the films' embeddings as in evaluation."""
    model, config = load_model(world.root / "models/Asked")
    store = open_for_model(world.root, world.rows, world.variant, world.inputs, config)
    return embed_films(model, queries_of(films_of(world.rows, store), store), config, 4, CPU)


def encoder_of(world: World) -> QueryEncoder:
    return QueryEncoder(*load_model(world.root / "models/Asked"), Encoders(CPU))


@pytest.mark.parametrize("tuned", [(), ("text", "image")], ids=["frozen", "fine-tuned"])
@pytest.mark.parametrize("inputs", INPUTS, ids="+".join)
def test_a_film_as_query_has_its_embedding_of_evaluation(asked, inputs, tuned):
    world = asked(inputs, tuned=tuned, crops=3)
    found = encoder_of(world).encode(as_queries(world))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(world), atol=1e-5)
    assert len(np.unique(found.round(5), axis=0)) > 1, "all films are alike: the test shows nothing"


def test_queries_do_not_depend_on_other_or_earlier_ones(asked):
    world = asked(["plot", "image"])
    encoder, queries = encoder_of(world), as_queries(world)
    whole = encoder.encode(queries)
    for number in (2, 0):
        np.testing.assert_allclose(encoder.encode([queries[number]])[0], whole[number], atol=1e-5)
    assert encoder.encode([]).shape == (0, 6)


def test_a_picture_that_queries_share_is_decoded_and_encoded_once(asked, monkeypatch):
    world = asked(["plot", "image"])
    encoder, (first, second, *_) = encoder_of(world), as_queries(world)
    shared = [first, replace(first, plot="war ."), second, replace(first, plot="a dog runs")]
    separate = np.stack([encoder.encode([query])[0] for query in shared])
    decoded, encoded, real = [], [], encoder._tables["image"]
    opened_picture = query_module.opened_picture
    monkeypatch.setattr(query_module, "opened_picture", lambda *a: decoded.append(a[1]) or opened_picture(*a))
    monkeypatch.setitem(encoder._tables, "image", lambda pictures: encoded.extend(pictures) or real(pictures))
    np.testing.assert_allclose(encoder.encode(shared), separate, atol=1e-5)
    assert decoded == [first.image, second.image] and len(encoded) == 2


def test_encoders_are_loaded_once_and_only_those_that_are_needed(asked, monkeypatch):
    loads, real = [], query_module.load_query_encoder
    monkeypatch.setattr(query_module, "load_query_encoder", lambda *a: loads.append("text") or real(*a))
    monkeypatch.setattr(query_module, "load_image_encoder", lambda *a: pytest.fail("no picture is needed"))
    world = asked(["tags", "plot"])
    encoder = encoder_of(world)
    for _ in range(2):
        encoder.encode(as_queries(world))
    assert loads == ["text"]


@pytest.mark.parametrize(
    ("inputs", "lacks", "named"),
    [
        (["plot", "image"], {"plot": " \n "}, "query 1 (Film 1): plot missing; the model M-Asked needs plot, image"),
        (["plot", "image"], {"image": None}, "query 1 (Film 1): image missing"),
        (["tags_plot"], {"tags": None, "plot": None}, "query 1 (Film 1): tags and plot missing"),
        (["tags"], {"title": None, "tags": ""}, "query 1: tags missing"),
    ],
)
def test_a_query_that_lacks_what_the_model_needs_is_named(asked, inputs, lacks, named):
    world = asked(inputs)
    queries = as_queries(world)
    queries[1] = replace(queries[1], **lacks)
    with pytest.raises(ModelError) as raised:
        encoder_of(world).encode(queries)
    assert named in str(raised.value)


def test_what_the_model_does_not_read_may_be_missing(asked):
    world = asked(["image"])
    bare = [Query(None, None, None, query.image) for query in as_queries(world)]
    np.testing.assert_allclose(encoder_of(world).encode(bare), expected(world), atol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "not found"), (b"no picture", "cannot be read"), ("huge", "more than the")],
)
def test_a_picture_that_cannot_be_used_is_named(asked, tmp_path, monkeypatch, content, message):
    world, path = asked(["image"]), tmp_path / "poster.png"
    if content == "huge":
        Image.new("RGB", (60, 60)).save(path)
        monkeypatch.setattr(query_module, "MAX_PIXELS", 3599)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"^the query \(x\): .*poster\.png.*{message}|{message}.*poster\.png"):
        encoder_of(world).encode([Query("x", None, None, path)])


def test_another_encoder_than_the_models_own_is_refused(asked):
    world = asked(["plot", "image"])
    folder = world.root / "models/Asked"
    model, config = load_model(folder)
    config["features"]["plot"]["weights"] = "0" * 64
    save_model(folder, model, config)
    with pytest.raises(ModelError, match=r"was trained on .* with weights '000"):
        encoder_of(world).load()


def test_encoder_that_has_got_a_prompt_since_is_refused(asked, tiny_bert, tmp_path):
    world = asked(["plot"])
    model, config = load_model(world.root / "models/Asked")
    folder = save_sentence(tiny_bert, tmp_path / "prompted", {"pooling_mode": "cls"})
    config["features"]["plot"]["encoder"] = str(folder)
    QueryEncoder(model, config, Encoders(CPU)).load()
    save_prompt(folder, {"query": "war "}, "query")
    with pytest.raises(ModelError, match="with prompt None; the installed encoder has 'war '"):
        QueryEncoder(model, config, Encoders(CPU)).load()


def test_same_encoder_under_another_revision_is_taken(asked):
    world = asked(["plot"])
    model, config = load_model(world.root / "models/Asked")
    config["features"]["plot"]["revision"] = "elsewhere"
    np.testing.assert_allclose(
        QueryEncoder(model, config, Encoders(CPU)).encode(as_queries(world)), expected(world), atol=1e-5
    )


def test_model_that_was_trained_on_a_gpu_is_asked_on_a_cpu(asked):
    world = asked(["plot", "image"])
    model, config = load_model(world.root / "models/Asked")
    for name in ("plot", "image"):
        assert config["features"][name]["precision"] == "float32"
        config["features"][name]["precision"] = "bfloat16"
    found = QueryEncoder(model, config, Encoders(CPU)).encode(as_queries(world))
    np.testing.assert_allclose(found, expected(world), atol=1e-5)


@pytest.mark.parametrize(
    ("tags", "words", "categories"),
    [
        ("Noir, 1950s,  revenge", "noir 1950s revenge", "noir, 1950s, revenge"),
        ("film noir,war\n", "film noir war", "film noir, war"),
        ("1924 silent short", "1924 silent short", "1924 silent short"),
        (" , ", "", ""),
    ],
)
def test_tags_are_asked_in_the_form_that_models_were_trained_on(tags, words, categories):
    assert tags_as_trained(tags, "words") == words
    assert tags_as_trained(tags, "categories") == categories


@pytest.mark.parametrize("part", ["tags", "plot", "image"])
@pytest.mark.parametrize("tuned", [(), ("text", "image")], ids=["frozen", "fine-tuned"])
def test_a_part_left_out_has_no_effect(asked, tuned, part):
    world = asked(["tags", "tags_plot", "image"], tuned=tuned)
    encoder, query = encoder_of(world), as_queries(world)[1]
    others = {"tags": "home", "plot": "war .", "image": as_queries(world)[0].image}
    other = replace(query, **{part: others[part]})
    whole, changed = encoder.encode([query]), encoder.encode([other])
    assert np.abs(whole - changed).max() > 1e-6, "the part counts for nothing: the test shows nothing"
    np.testing.assert_allclose(
        encoder.encode_without([query], [frozenset([part])])[0],
        encoder.encode_without([other], [frozenset([part])])[0],
        atol=1e-7,
    )
    assert np.abs(whole - encoder.encode_without([query], [frozenset([part])])[0]).max() > 1e-6


def test_a_model_that_answers_subsets_takes_what_each_query_has(asked):
    world = asked(["tags", "plot", "image"], drop_inputs=0.5)
    encoder, queries = encoder_of(world), as_queries(world)
    whole = encoder.encode(queries)
    some = [queries[0], replace(queries[1], plot=" "), replace(queries[2], image=None, tags=None)]
    found = encoder.encode(some)
    np.testing.assert_allclose(found[0], whole[0], atol=1e-6)
    np.testing.assert_allclose(found[1], encoder.encode_without([queries[1]], [frozenset(["plot"])])[0, 0], atol=1e-6)
    alone = encoder.encode_without([some[2]], [WHOLE])[0, 0]
    np.testing.assert_allclose(found[2], alone, atol=1e-6)
    assert np.abs(alone - whole[2]).max() > 1e-6
    without_image = encoder.encode_without([replace(queries[2], tags=None)], [frozenset(["image"])])[0, 0]
    np.testing.assert_allclose(alone, without_image, atol=1e-6)
    with pytest.raises(ModelError, match="query 1: tags and plot and image missing"):
        encoder.encode([queries[0], Query(None, None, " ", None)])


@pytest.mark.parametrize(("part", "loaded"), [("tags", ["text"]), ("plot", ["text"]), ("image", ["image"])])
def test_only_encoders_that_a_query_needs_are_loaded(asked, monkeypatch, part, loaded):
    world = asked(["tags", "plot", "image"], drop_inputs=0.5)
    found, real = [], Encoders.frozen
    monkeypatch.setattr(Encoders, "frozen", lambda self, kind, spec: found.append(kind) or real(self, kind, spec))
    nothing = Query(None, None, None, None)
    encoder, whole = encoder_of(world), as_queries(world)[0]
    vector = encoder.encode([replace(nothing, **{part: getattr(whole, part)})])
    assert found == loaded
    encoder.load()
    assert sorted(found) == ["image", "text"]
    np.testing.assert_array_equal(encoder.encode([replace(nothing, **{part: getattr(whole, part)})]), vector)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_a_decoded_picture_of_any_mode(asked, mode):
    world = asked(["image"])
    encoder, query = encoder_of(world), as_queries(world)[0]
    picture = Image.open(query.image).convert("L").convert(mode)
    grey = replace(query, image=picture.convert("L").convert("RGB"))
    np.testing.assert_array_equal(encoder.encode([replace(query, image=picture)]), encoder.encode([grey]))


def test_the_same_picture_is_encoded_once(asked, monkeypatch):
    world = asked(["image"])
    encoder, encoded, real = encoder_of(world), [], ImageEncoder.encode
    monkeypatch.setattr(ImageEncoder, "encode", lambda self, found: encoded.extend(found) or real(self, found))
    one, two, *_ = as_queries(world)
    first = encoder.encode([one, two])
    assert len(encoded) == 2
    decoded = replace(one, image=Image.open(one.image))  # known by its content
    np.testing.assert_array_equal(encoder.encode([two, decoded]), first[[1, 0]])
    assert len(encoded) == 2


def test_the_same_text_is_encoded_once(asked, monkeypatch):
    world = asked(["tags"])
    encoder, asked_for = encoder_of(world), []
    real = TextEncoder.encode
    monkeypatch.setattr(TextEncoder, "encode", lambda self, texts: asked_for.extend(texts) or real(self, texts))
    monkeypatch.setattr(query_module, "REMEMBERED", 2)
    one, two, three = (Query(None, tags, None, None) for tags in ("war", "dog", "home"))
    first = encoder.encode([one, two, one])
    assert asked_for == ["war", "dog"]
    np.testing.assert_allclose(encoder.encode([two, one]), first[[1, 0]], atol=1e-6)
    assert asked_for == ["war", "dog"]
    encoder.encode([three])  # drops the least recently used one
    encoder.encode([one])
    assert asked_for == ["war", "dog", "home"]
    encoder.encode([two])
    assert asked_for == ["war", "dog", "home", "dog"]
