"""Bins of whole columns of categories, against look-ups one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import CategoricalBinning
from stream.decode.columns import ABSENT_CODE
from stream.decode.values import ABSENT_CATEGORY, INVALID_CATEGORY, CodeTable

FEW = CategoricalBinning.fit(["a", "b", "c", "1", "True"])
MANY = CategoricalBinning.fit([f"name {i}" for i in range(5_000)])
values = st.lists(
    st.sampled_from(["a", "b", "name 7", "name 4999", None, 1, 1.0, True, INVALID_CATEGORY])
    | st.text(max_size=5)
)


@pytest.mark.parametrize("binning", [FEW, MANY])
@pytest.mark.parametrize("known_later", [False, True])
@given(column=values, absent=st.booleans())
def test_a_column_has_the_bins_of_its_values(binning, known_later, column, absent):
    table = CodeTable(binning, known_later=known_later)
    column = [*column, ABSENT_CATEGORY] if absent else column
    assert table.codes(column).tolist() == [table[value] for value in column]


@pytest.mark.parametrize("binning", [FEW, MANY])
def test_a_byte_holds_every_bin_and_wider_ones_the_place_of_what_is_absent(binning):
    assert binning.n_bins <= 256
    table = CodeTable(binning)
    every = [*binning.bins_of_names, "never seen", None, INVALID_CATEGORY]
    assert table.codes(every).dtype == np.uint8
    assert table.codes([*every, ABSENT_CATEGORY]).tolist()[-1] == ABSENT_CODE
    later = CodeTable(binning, known_later=True)
    assert later.codes([None, *every]).tolist()[0] == ABSENT_CODE
