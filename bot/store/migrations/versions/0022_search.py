"""What the search goes by: the pieces of a text that its indexes hold. The indexes themselves are built beside the running
desk (``bot.store.search_indexes``): here they would keep customers waiting for minutes."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"

# In PL/pgSQL, whose plan is kept: as a function in SQL it would be planned for every message that is written.
_GRAMS = r"""
CREATE FUNCTION grams(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
BEGIN
    IF length(words) <= 400 THEN
        RETURN (
            SELECT coalesce(array_to_tsvector(array_agg(substr(word, place, 3))), '')
            FROM string_to_table(translate(lower(words), E'\n\r\t', '   '), ' ') AS word,
                generate_series(1, length(word)) AS place
        );
    ELSIF length(words) <= 20000 THEN
        -- The same in steps: the way to a character of a long text is as long as the text before it.
        RETURN (
            SELECT coalesce(array_to_tsvector(array_agg(substr(step, place, 3))), '')
            FROM string_to_table(translate(lower(words), E'\n\r\t', '   '), ' ') AS word,
                generate_series(1, length(word), 64) AS begin,
                substr(word, begin, 66) AS step,
                generate_series(1, least(64, length(step))) AS place
        );
    END IF;
    RETURN array_to_tsvector(ARRAY[' ']);
END $$
"""
_DETAIL_WORDS = r"""
CREATE FUNCTION detail_words(details jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(detail ->> 'value', E'\n'), '') FROM jsonb_array_elements(details) AS detail);
END $$
"""


def upgrade() -> None:
    op.execute(_GRAMS)
    op.execute("COMMENT ON FUNCTION grams IS 'Up to three characters from every place of every word.'")
    op.execute(_DETAIL_WORDS)
    op.execute("COMMENT ON FUNCTION detail_words IS 'The values of a conversation''s details, one a line.'")
