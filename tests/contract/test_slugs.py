"""What the plugin tenants lets be a slug, the kernel's header takes, and as nothing else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from vinc_kernel.middleware.tenancy import canonical_id, slug
from vinc_tenants.slugs import RESERVED, UUID_LIKE, allowed_slug

SLUGS = st.from_regex(r"[a-z](-?[a-z0-9]){2,40}", fullmatch=True).filter(lambda text: len(text) <= 41)


@given(SLUGS)
def test_a_slug_fits_the_header_and_is_never_taken_for_an_id(text: str) -> None:
    try:
        kept = allowed_slug(text)
    except ValueError:
        assert text in RESERVED or re.match(UUID_LIKE, text)
        return

    assert slug(kept)
    assert not canonical_id(kept)
    assert len(kept) <= 64
