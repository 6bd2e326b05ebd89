"""The calls that are compared; functions stand in the order of their files."""

from __future__ import annotations

from tests.frontend.ops.cases_of_arrays import ARRAYS
from tests.frontend.ops.cases_of_elements import ELEMENTS
from tests.frontend.ops.cases_of_networks import NETWORKS

CASES = (*ELEMENTS, *ARRAYS, *NETWORKS)
