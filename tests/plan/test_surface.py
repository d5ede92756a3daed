import doctest

import hubbub.plan


def test_the_public_names_are_these():
    assert hubbub.plan.__all__ == [
        "Prediction",
        "Validation",
        "calibrate",
        "find_cluster",
        "find_gpu",
        "find_model",
        "find_stack",
        "predict",
        "predict_layouts",
        "search",
        "validate",
    ]
    assert all(callable(getattr(hubbub.plan, name)) for name in hubbub.plan.__all__)


def test_the_example_of_the_room_works():
    assert doctest.testmod(hubbub.plan).failed == 0
