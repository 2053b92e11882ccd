"""The log: pages of pointers to commits, in the total order of all streams.

`items` are what its table holds, `requests` what is sent, `sequencing` gives positions.
"""
