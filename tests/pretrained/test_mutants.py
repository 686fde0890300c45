"""A sample of the damaged folders of mutation_campaign.py."""

from mutation_campaign import campaign


def test_damaged_folders_are_refused_or_give_what_transformers_gives():
    fates, failures = campaign(60, seed=7, tell=None)
    assert [failure for failure in failures if "loaded here alone" not in failure] == []
    assert fates["refused"] > 25 and fates["the same as in transformers"] > 3
