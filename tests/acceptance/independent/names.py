"""How a second reader brings spellings of a player together: the rule and the aliases that the data's README states."""

from __future__ import annotations

import unicodedata

import polars as pl

SUFFIXES = {"jr", "sr", "ii", "iii", "iv", "v"}

SAME_PLAYER = {
    "nicolasclaxton": "nicclaxton",
    "carltoncarrington": "bubcarrington",
    "herbjones": "herbertjones",
    "ronholland": "ronaldholland",
    "vincentwilliams": "vincewilliams",
    "moewagner": "moritzwagner",
    "bjboston": "brandonboston",
    "jameshuff": "jayhuff",
    "tristansilva": "tristandasilva",
    "yanicniederhauser": "yanickonanniederhauser",
}


def name_key(name: str) -> str:
    """Return the letters of a name: no accents, no suffixes, lower case."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).lower()
    words = plain.replace(".", "").replace("'", "").replace("’", "").replace("-", " ").split()
    letters = "".join("".join(c for c in word if "a" <= c <= "z") for word in words if word not in SUFFIXES)
    return SAME_PLAYER.get(letters, letters)


def with_player(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Add the column `player` made of a column of names."""
    keys = {spelling: name_key(spelling) for spelling in frame[name].drop_nulls().unique()}
    return frame.with_columns(pl.col(name).replace_strict(keys, default=None, return_dtype=pl.String).alias("player"))
