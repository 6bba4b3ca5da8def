import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.languages import check_language
from dataset_builders.corpus.settings import Selection


@pytest.mark.parametrize("tag", ["en", "und", "pt-BR", "zh-Hant-TW"])
def test_tags(tag):
    check_language(tag)


@pytest.mark.parametrize(
    ("tag", "meant"), [("english", "en"), ("German", "de"), ("chinese", "zh"), ("EN", "en"), ("pt_br", "pt-br")]
)
def test_what_is_no_tag_is_refused_with_the_one_that_is_meant(tag, meant):
    with pytest.raises(DataError, match=f"did you mean {meant}"):
        Selection(languages=(tag,))


def test_nonsense_is_refused_without_a_guess():
    with pytest.raises(DataError, match=r"language '42': expected a tag such as en, pt-BR or und$"):
        check_language("42")
