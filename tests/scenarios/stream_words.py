# SPDX-License-Identifier: Apache-2.0
"""The words of the scenario language about connections below HTTP."""

from client import stream_exchange
from expect import check
from language import Failure, Text, raw, split_expect


class StreamWords:
    def do_stream(self, words):
        """stream "bytes" "more bytes"... [half-close] [sni NAME] expect ..."""
        before, clauses = split_expect(words)
        segments = [raw(word) for word in before[1:] if isinstance(word, Text)]
        others = [str(word) for word in before[1:] if not isinstance(word, Text)]
        sni = others[others.index("sni") + 1] if "sni" in others else None
        unknown = set(others) - {"half-close", "sni", sni}
        if unknown:
            raise Failure(f"unknown word {unknown.pop()}")
        bodies = [clause for clause in clauses if clause[0] == "body"]

        def enough(response):
            try:
                check(bodies, response, "stream")
            except Failure:
                return False
            return bool(bodies)

        address = self.gateway.address("stream" if sni is None else "stream-tls")
        source, half_close = getattr(self.local, "source", None), "half-close" in others
        check(clauses, stream_exchange(address, source, segments, half_close, sni, enough), "stream")
