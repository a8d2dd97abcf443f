"""SMPP 3.4: the session that `sms/smpp.py` sends by. The PDUs are the `smpp34` package's.

The specification, as sections are quoted of it: https://smpp.org/SMPP_v3_4_Issue1_2.pdf
"""
