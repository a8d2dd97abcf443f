"""A stand-in for every vendor: speaks their protocols, keeps what it got, misbehaves when told to.

For development, demonstrations and tests; `python -m sandbox`, then look at http://127.0.0.1:8025.
"""
