from templates_app.samples import lengthened


def test_it_works() -> None:
    given = {
        "name": "Ann",
        "url": "https://a.example",
        "mail": "a@b.example",
        "at": "2026-05-04",
        "n": 3,
        "none": " ",
    }
    assert lengthened(given) == {**given, "name": "Ann Ann Ann"}
    assert lengthened({"order": {"items": ["tea", 1]}}) == {"order": {"items": ["tea tea tea", 1]}}
