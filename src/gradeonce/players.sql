-- Player names: the rule that makes `player_lookup` out of a name, on whole columns. players.py has the same rule for one name.

-- name: lookup
-- Purpose: the name as it is matched. Each `list_transform([x], lambda v: ...)[1]` names one step, so that no step is
-- written (and computed) twice: repair broken accents twice over, fold to a-z and commas, put "Last, First" in order, and
-- drop suffixes anywhere but in front.
list_transform(
    [{repaired}],
    lambda repaired: list_transform(
        list_transform(
            [{folded}],
            lambda folded: regexp_replace(
                regexp_replace(folded, ', *(jr|sr|ii|iii|iv|v) *$', ' \1'),
                '^([^,]*[a-z][^,]*),([^,]*[a-z][^,]*)$', '\2 \1'
            )
        ),
        lambda ordered: list_transform(
            [list_filter(regexp_split_to_array(ordered, '[^a-z]+'), lambda word: word <> '')],
            lambda words: nullif(
                coalesce(words[1], '') || coalesce(array_to_string(
                    list_filter(words[2:], lambda word: word NOT IN ('jr', 'sr', 'ii', 'iii', 'iv', 'v')), ''
                ), ''),
                ''
            )
        )[1]
    )[1]
)[1]

-- name: repaired
-- Purpose: a name whose broken accents are undone, twice over.
list_transform(list_transform([CAST({name} AS VARCHAR)], lambda raw: {repair}), lambda raw: {repair})[1]

-- name: repair
-- Purpose: undo UTF-8 that was read as Latin-1 or Windows-1252 ("DonÄ?iÄ?"). Bytes are put together again from the
-- characters and decoded; where that is not valid UTF-8 the text was not broken and stays.
list_transform([{bytes}], lambda bytes:
    CASE
        WHEN regexp_matches(bytes, '[\x{C2}-\x{F4}][\x{80}-\x{BF}]') AND regexp_full_match(bytes, '[\x{01}-\x{FF}]*')
        THEN coalesce(
            TRY(decode(unhex(array_to_string(
                list_transform(regexp_extract_all(bytes, '(?s).'), lambda c: printf('%02x', unicode(c))), ''
            )))),
            raw
        )
        ELSE raw
    END
)[1]

-- name: aliases
-- Purpose: spellings that the rule cannot bring together, each with the official name. Measured on the lines of 2024 to 2026.
SELECT alias, player
FROM (VALUES
    ('Nicolas Claxton', 'Nic Claxton'),
    ('Carlton Carrington', 'Bub Carrington'),
    ('Herb Jones', 'Herbert Jones'),
    ('Ron Holland', 'Ronald Holland II'),
    ('Vincent Williams Jr', 'Vince Williams Jr.'),
    ('Moe Wagner', 'Moritz Wagner'),
    ('B.J. Boston Jr', 'Brandon Boston Jr.'),
    ('James Huff', 'Jay Huff'),
    ('Tristan Silva', 'Tristan da Silva'),
    ('Yanic Niederhäuser', 'Yanic Konan Niederhäuser')
) AS spelling (alias, player)

-- name: nearest
-- Purpose: for each unmatched lookup the known ones that read most like it, best first; no entry where none comes close.
SELECT
    unmatched.player_lookup,
    list(known.player_lookup ORDER BY score DESC, known.player_lookup)[:{limit}] AS nearest
FROM (SELECT DISTINCT player_lookup FROM {unmatched}) AS unmatched
CROSS JOIN (SELECT DISTINCT player_lookup FROM {known}) AS known
CROSS JOIN LATERAL (SELECT jaro_winkler_similarity(unmatched.player_lookup, known.player_lookup) AS score)
WHERE score >= 0.8 AND known.player_lookup <> unmatched.player_lookup
GROUP BY unmatched.player_lookup

-- name: nearest_in_groups
-- Purpose: the same for names that are each looked for in a partition of their own.
SELECT u.partition, u.player_lookup, list(k.player_lookup ORDER BY score DESC, k.player_lookup)[:3] AS nearest
FROM {unmatched} AS u
JOIN {known} AS k ON k.partition = u.partition
CROSS JOIN LATERAL (SELECT jaro_winkler_similarity(u.player_lookup, k.player_lookup) AS score)
WHERE score >= 0.8
GROUP BY u.partition, u.player_lookup

-- name: most_alike
-- Purpose: the names of a list that read most like one.
SELECT k.lookup, jaro_winkler_similarity(k.lookup, $lookup) AS similarity
FROM (SELECT unnest(CAST($known AS VARCHAR[])) AS lookup) AS k
WHERE jaro_winkler_similarity(k.lookup, $lookup) >= 0.8
ORDER BY similarity DESC, k.lookup
LIMIT $limit
