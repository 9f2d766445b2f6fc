"""`d.structure` says what each term and the whole look like, and how much there is to keep; every word is true."""

import json

import pytest
from claims import check_claims, drawn, sizes_of

from einsumdiff import ValueFault, derive
