-- Chance, repeatable: every draw is the MD5 of the seed, a word for what is drawn, and a key. The engine's own random()
-- and hash() would give other seasons with other threads or another version; logarithms and cosines could differ in the
-- last digit between machines, so the bell curve is a sum of four uniform draws.

-- name: bits
-- Purpose: 64 random bits for one thing; four draws of 16 bits each are cut from them.
CREATE TEMP MACRO bits(what, key) AS md5_number_lower(concat_ws('|', getvariable('season_seed'), what, key))

-- name: uniform
-- Purpose: a number from 0 up to, not including, 1; slot 0 to 3.
CREATE TEMP MACRO uniform(bits64, slot) AS ((bits64 >> (16 * slot)) & 65535) / 65536.0::DOUBLE

-- name: bell
-- Purpose: mean 0, standard deviation 1, never beyond 3.5.
CREATE TEMP MACRO bell(bits64) AS (
    uniform(bits64, 0) + uniform(bits64, 1) + uniform(bits64, 2) + uniform(bits64, 3) - 2
) * 1.7320508075688772::DOUBLE

-- name: wobble
-- Purpose: a number from 0 up to 1 for each of several things that share one draw. Steps of the golden ratio never come
-- near an earlier one, and cost nothing beside another MD5.
CREATE TEMP MACRO wobble(bits64, number) AS (
    (bits64 >> 16) / 281474976710656.0::DOUBLE + 0.6180339887::DOUBLE * number
) % 1

-- name: instant
-- Purpose: an instant as it stands in the files: ISO 8601 with its offset.
CREATE TEMP MACRO instant(utc) AS strftime(utc, '%Y-%m-%dT%H:%M:%SZ')
