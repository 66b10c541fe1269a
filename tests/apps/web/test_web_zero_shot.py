"""The page and the API over a joint encoder: one model, own music, no data set."""

import pytest

from pipeline.apps.library.opening import add_libraries
from pipeline.apps.recommend.recommender import open_recommender
from pipeline.apps.web.app import create_app
from tests.apps.library.world import LIBRARY, fill, small
from tests.apps.web.small_site import Client, serving

pytestmark = pytest.mark.slow


def test_the_api_answers_for_own_music_alone(tiny, params, tmp_path):
    settings = small(params)
    recommender = open_recommender(tmp_path, settings, str(tiny("joint_gemma")))
    (name,) = add_libraries(recommender, tmp_path, settings, [fill(tmp_path / "Music", LIBRARY)])
    with serving(create_app(recommender, settings.recommend, tmp_path)) as origin:
        client = Client(origin, tmp_path)
        (model,) = client.get("/api/models").json()
        assert (model["needs"], model["recall_at_10"]) == (["tags", "plot", "image"], None)
        answer = client.answer(tags="noir", k=2)
        assert (answer["library"], answer["model"]["name"], len(answer["tracks"])) == (name, model["name"], 2)
        assert client.get(answer["tracks"][0]["audio"]).status_code == 200
        assert client.get("/").status_code == 200
