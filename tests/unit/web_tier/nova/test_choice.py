"""Which of the resources of others is used."""

import pytest

from web_tier.nova import choice
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Flavor, Image, Network

PUBLIC, CAMPUS = Network("e1", "public"), Network("e2", "campus")


def test_the_only_external_network_needs_no_name() -> None:
    assert choice.external_network([PUBLIC], None) == PUBLIC


@pytest.mark.parametrize("wanted", ["campus", "e2"])
def test_an_external_network_is_chosen_by_name_or_id(wanted: str) -> None:
    assert choice.external_network([PUBLIC, CAMPUS], wanted) == CAMPUS


def test_of_several_external_networks_a_person_must_choose() -> None:
    with pytest.raises(NovaError, match="there are 2 external networks: campus, public") as error:
        choice.external_network([PUBLIC, CAMPUS], None)
    assert "--external-network" in error.value.remedy


def test_without_an_external_network_the_remedy_is_the_operators() -> None:
    with pytest.raises(NovaError, match="sees no external network") as error:
        choice.external_network([], "public")
    assert "operator" in error.value.remedy


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(NovaError, match="there is no external network lab; there are campus, public"):
        choice.external_network([PUBLIC, CAMPUS], "lab")


def test_a_name_that_is_taken_twice_is_answered_with_the_ids() -> None:
    images = [Image("i1", "debian", "active"), Image("i2", "debian", "active")]
    with pytest.raises(NovaError, match="the name debian is taken by 2 images: i1, i2") as error:
        choice.image(images, "debian")
    assert "--image the id" in error.value.remedy
    assert choice.image(images, "i2").id == "i2"


def test_an_image_that_is_not_active_is_refused() -> None:
    with pytest.raises(NovaError, match="image debian is queued, not active"):
        choice.image([Image("i1", "debian", "queued")], "debian")


def test_a_flavor_of_exactly_that_size_is_taken_and_no_larger_one() -> None:
    large, small = Flavor("1", "large", 1024, 5, 1), Flavor("2", "small", 512, 5, 1)
    assert choice.flavor([large, small], None, 512, 5) == small
    assert choice.flavor([large], None, 512, 5) is None
    assert choice.flavor([large], "large", 512, 5) == large


def test_the_nearest_flavors_are_those_that_would_do_the_smallest_first() -> None:
    flavors = [Flavor("1", "xl", 8192, 80, 4), Flavor("2", "tiny", 256, 1, 1), Flavor("3", "m", 1024, 10, 1)]
    assert choice.nearest(flavors, 512, 5) == "m (1024 MB, 10 GB), xl (8192 MB, 80 GB)"


def test_a_key_pair_that_is_not_there_is_said() -> None:
    with pytest.raises(NovaError, match="there is no key pair mine"):
        choice.key_pair([], "mine")
