-- name: overwrite_fence
-- What the fence says after a commit that asks nothing: the last writer's word.
UPDATE publish_fences
SET token = coalesce($token, token), seq = $seq, rows = $rows, content_hash = $content_hash, version = $version,
    published_at = $at
WHERE table_name = $table AND partition = $partition;

-- name: retire_what_was_seen
-- Remove the version this writer saw when it began; one that came in since stays, and stands twice from now on.
UPDATE segments SET removed_seq = $seq
WHERE table_name = $table AND partition = $partition AND removed_seq IS NULL AND added_seq <= $base_seq;

-- name: overwrite_fence_there
-- The first of these in BigQuery's spelling; a token of -1 is none.
UPDATE publish_fences
SET token = IF(@token < 0, token, @token), seq = @seq, `rows` = @rows, content_hash = @content_hash,
    version = @version, published_at = FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6S+00:00', CURRENT_TIMESTAMP(), 'UTC')
WHERE table_name = @table AND `partition` = @partition;
